//! What commands did, as commands to be replayed elsewhere: the input of AOF and replication.
//!
//! One stream of bytes, each command a RESP array. A write command goes out as received, with the
//! very bytes the client sent if these are spelled as everybody spells them; unless its handler said
//! otherwise: random, relative-time and blocking commands replace themselves by what they did. What
//! one request did is a unit: several commands of a unit stand between MULTI and EXEC. `SELECT` comes
//! in where the database changes, behind the MULTI.
//!
//! Offsets count all bytes ever pushed. Nothing is recorded while nobody listens. There are two
//! readers, the append-only file and the replicas, of one stream: what only replicas are to get
//! (PUBLISH) is marked, so that the file can leave it out ([`Effects::for_replicas_only`]).
//!
//! Tests: at the bottom, `tests/effects.rs`.

use resp::int::MAX_TEXT_LEN;
use std::ops::Range;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Who reads the effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectsReader {
    AppendOnly,
    Replicas,
}

#[derive(Default)]
pub struct Effects {
    /// Somebody listens. Set by [`crate::Engine::record_effects`].
    pub(crate) enabled: bool,
    /// Which of the readers do.
    readers: [bool; 2],
    stream: Vec<u8>,
    /// Bytes that were taken from the stream.
    taken: u64,
    /// The database that whoever reads the stream has selected.
    db: Option<u32>,
    /// Where the running request's effects begin, and how many there are.
    unit_start: usize,
    unit_count: usize,
    /// How many of them are for everybody, and where the private ones begin in `private`.
    unit_public: usize,
    unit_private_start: usize,
    /// What of the stream, and of the part taken last, is for replicas only.
    private: Vec<Range<usize>>,
    taken_private: Vec<Range<usize>>,
    /// Effects for everybody that were ever pushed.
    pushed: u64,
    /// The running command said how it propagates; do not add it as received.
    pub(crate) replaced: bool,
}

impl Effects {
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub fn is_read_by(&self, reader: EffectsReader) -> bool {
        self.readers[reader as usize]
    }

    pub(crate) fn set_reader(&mut self, reader: EffectsReader, on: bool) {
        self.readers[reader as usize] = on;
        let was_enabled = std::mem::replace(&mut self.enabled, self.readers.contains(&true));
        if on {
            self.force_select();
        }
        // Both may happen in the middle of a request.
        if was_enabled && !self.enabled {
            self.end_unit();
        } else if !was_enabled && self.enabled {
            self.begin_unit();
        }
    }

    /// The database that whoever reads the stream has selected where it ends; none before the first
    /// effect, and when the next one says it anyway.
    pub fn selected_db(&self) -> Option<u32> {
        self.db
    }

    /// Whether the running request has recorded something already.
    pub fn is_unit_open(&self) -> bool {
        self.unit_count > 0
    }

    /// What of the bytes that [`Effects::take`] returned last only replicas are to get. Without it the
    /// rest is whole commands and transactions: if everything that a request did is for replicas
    /// only, so are the MULTI and EXEC around it.
    pub fn for_replicas_only(&self) -> &[Range<usize>] {
        &self.taken_private
    }

    /// Effects for everybody that were ever pushed: a reply that promises one waits for the disk.
    #[inline]
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// All bytes ever pushed.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.taken + self.stream.len() as u64
    }

    /// The offset of the first byte not yet taken.
    #[inline]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether there is nothing to take.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.stream.is_empty()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.stream
    }

    /// The stream since it was last taken. `spare` is emptied and takes its place. What a request
    /// that still runs did stays for the next time: a unit is taken as a whole.
    pub fn take(&mut self, mut spare: Vec<u8>) -> Vec<u8> {
        spare.clear();
        self.taken_private.clear();
        if self.unit_count > 0 {
            spare.extend(self.stream.drain(self.unit_start..));
            let open = self.private.split_off(self.unit_private_start);
            let start = self.unit_start;
            std::mem::swap(&mut self.private, &mut self.taken_private);
            self.private
                .extend(open.iter().map(|r| r.start - start..r.end - start));
            self.unit_start = 0;
            self.unit_private_start = 0;
        } else {
            std::mem::swap(&mut self.private, &mut self.taken_private);
        }
        self.taken += self.stream.len() as u64;
        std::mem::replace(&mut self.stream, spare)
    }

    /// Whoever reads on from here has no database selected: the next effect says which it is in.
    pub fn force_select(&mut self) {
        self.db = None;
    }

    /// A request begins.
    #[inline]
    pub(crate) fn begin_unit(&mut self) {
        self.unit_start = self.stream.len();
        self.unit_count = 0;
        self.unit_public = 0;
        self.unit_private_start = self.private.len();
    }

    /// The request is over: several effects of it become one transaction.
    #[inline]
    pub(crate) fn end_unit(&mut self) {
        if self.unit_count > 1 {
            self.wrap_unit();
        }
        self.unit_count = 0;
    }

    /// Adds a command that only replicas are to get; it is for no database.
    pub(crate) fn push_for_replicas(&mut self, args: &[&[u8]]) {
        self.unit_count += 1;
        let start = self.stream.len();
        encode(&mut self.stream, args);
        self.private.push(start..self.stream.len());
    }

    /// Adds a command that belongs to no request.
    pub(crate) fn push_alone(&mut self, db: u32, args: &[&[u8]]) {
        debug_assert_eq!(self.unit_count, 0, "a request is running");
        self.push(db, args);
        self.unit_count = 0;
    }

    #[cold]
    fn wrap_unit(&mut self) {
        let start = self.unit_start;
        self.stream.splice(start..start, MULTI.iter().copied());
        self.stream.extend_from_slice(EXEC);
        let private = &mut self.private[self.unit_private_start..];
        for range in private {
            *range = range.start + MULTI.len()..range.end + MULTI.len();
        }
        if self.unit_public == 0 {
            self.private.truncate(self.unit_private_start);
            self.private.push(start..self.stream.len());
        }
    }

    /// Adds a command.
    pub(crate) fn push(&mut self, db: u32, args: &[&[u8]]) {
        self.begin_effect(db);
        encode(&mut self.stream, args);
    }

    /// Adds a command as received: `wire` is what the client sent, empty if that is not at hand.
    #[inline]
    pub(crate) fn push_received(&mut self, db: u32, args: &[&[u8]], wire: &[u8]) {
        self.begin_effect(db);
        if is_canonical(wire, args) {
            self.stream.extend_from_slice(wire);
        } else {
            encode(&mut self.stream, args);
        }
    }

    #[inline]
    fn begin_effect(&mut self, db: u32) {
        self.unit_count += 1;
        self.unit_public += 1;
        self.pushed += 1;
        if self.db != Some(db) {
            self.select(db);
        }
    }

    #[cold]
    fn select(&mut self, db: u32) {
        self.db = Some(db);
        encode(&mut self.stream, &[b"SELECT", db.to_string().as_bytes()]);
    }
}

fn encode(stream: &mut Vec<u8>, args: &[&[u8]]) {
    let bytes: usize = args.iter().map(|arg| arg.len() + MAX_TEXT_LEN).sum();
    stream.reserve(bytes + MAX_TEXT_LEN);
    header(stream, b'*', args.len());
    for arg in args {
        header(stream, b'$', arg.len());
        stream.extend_from_slice(arg);
        stream.extend_from_slice(b"\r\n");
    }
}

fn header(stream: &mut Vec<u8>, mark: u8, number: usize) {
    stream.push(mark);
    resp::write_u64(stream, number as u64);
    stream.extend_from_slice(b"\r\n");
}

/// Whether `wire`, from which `args` were read, is byte for byte what [`encode`] would write. The
/// request parser looks neither at leading zeros nor at all line ends, so a client can spell a
/// request that other readers understand differently.
#[inline]
fn is_canonical(wire: &[u8], args: &[&[u8]]) -> bool {
    let mut at = 0;
    let line = |at: &mut usize, number: usize, body: usize| {
        *at += 1 + digit_count(number);
        let is_line = wire.get(*at..*at + 2) == Some(b"\r\n");
        *at += 2 + body;
        is_line
    };
    if !line(&mut at, args.len(), 0) {
        return false;
    }
    for arg in args {
        if !line(&mut at, arg.len(), arg.len()) || wire.get(at..at + 2) != Some(b"\r\n") {
            return false;
        }
        at += 2;
    }
    at == wire.len()
}

#[inline]
fn digit_count(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(effects: &mut Effects) -> String {
        String::from_utf8(effects.take(Vec::new())).expect("text")
    }

    fn listening() -> Effects {
        Effects {
            enabled: true,
            ..Effects::default()
        }
    }

    #[test]
    fn a_unit_of_several_effects_is_a_transaction_and_multi_comes_before_select() {
        let mut effects = listening();
        effects.begin_unit();
        effects.push(3, &[b"DEL", b"a"]);
        assert!(effects.is_unit_open());
        effects.push(3, &[b"DEL", b"b"]);
        effects.end_unit();
        let expected = "*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n\
                        *2\r\n$3\r\nDEL\r\n$1\r\nb\r\n*1\r\n$4\r\nEXEC\r\n";
        assert_eq!(effects.offset(), expected.len() as u64);
        assert_eq!(text(&mut effects), expected);
        assert_eq!(effects.offset(), expected.len() as u64);
        effects.begin_unit();
        effects.push(3, &[b"DEL", b"a"]);
        effects.end_unit();
        assert_eq!(text(&mut effects), "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n");
        effects.force_select();
        effects.begin_unit();
        effects.push(3, &[b"DEL", b"a"]);
        effects.end_unit();
        assert!(text(&mut effects).starts_with("*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"));
    }

    /// What an append-only file would keep of what was taken.
    fn without_private(effects: &Effects, taken: &str) -> String {
        let mut kept = String::new();
        let mut at = 0;
        for range in effects.for_replicas_only() {
            kept += &taken[at..range.start];
            at = range.end;
        }
        kept + &taken[at..]
    }

    #[test]
    fn what_is_for_replicas_only_can_be_cut_out() {
        let words = |text: &str| text.replace("\r\n", " ");
        let mut effects = listening();
        effects.begin_unit();
        effects.push_for_replicas(&[b"PUBLISH", b"c", b"1"]);
        effects.end_unit();
        effects.begin_unit();
        effects.push_for_replicas(&[b"PUBLISH", b"c", b"2"]);
        effects.push(0, &[b"DEL", b"a"]);
        effects.push_for_replicas(&[b"PUBLISH", b"c", b"3"]);
        effects.end_unit();
        effects.begin_unit();
        effects.push_for_replicas(&[b"PUBLISH", b"c", b"4"]);
        effects.push_for_replicas(&[b"PUBLISH", b"c", b"5"]);
        effects.end_unit();
        // A unit that is still open stays behind, with its marks.
        effects.begin_unit();
        effects.push(0, &[b"DEL", b"b"]);
        effects.push_for_replicas(&[b"PUBLISH", b"c", b"6"]);
        assert_eq!(effects.pushed(), 2);
        let taken = text(&mut effects);
        assert_eq!(taken.matches("PUBLISH").count(), 5);
        assert_eq!(
            words(&without_private(&effects, &taken)),
            "*1 $5 MULTI *2 $6 SELECT $1 0 *2 $3 DEL $1 a *1 $4 EXEC "
        );
        effects.end_unit();
        let taken = text(&mut effects);
        assert_eq!(taken.matches("PUBLISH").count(), 1);
        assert_eq!(
            words(&without_private(&effects, &taken)),
            "*1 $5 MULTI *2 $3 DEL $1 b *1 $4 EXEC "
        );
        effects.begin_unit();
        effects.push(0, &[b"DEL", b"a"]);
        effects.end_unit();
        let taken = text(&mut effects);
        assert_eq!(without_private(&effects, &taken), taken);
    }

    #[test]
    fn odd_spellings_are_written_anew() {
        let args: [&[u8]; 2] = [b"get", b"k"];
        let canonical = b"*2\r\n$3\r\nget\r\n$1\r\nk\r\n";
        assert!(is_canonical(canonical, &args));
        for odd in [
            &b""[..],
            b"*02\r\n$3\r\nget\r\n$1\r\nk\r\n",
            b"*2\rX$3\r\nget\r\n$1\r\nk\r\n",
            b"*2\r\n$3\r\nget\r\n$1\r\nkXY",
            b"*2\r\n$3\r\ngetXY$1\r\nk\r\n",
            b"*2\r\n$03\r\nget\r\n$1\r\nk\r\n",
            b"*2\r\n$3\r\nget\r\n$1\r\nk\r\n ",
        ] {
            assert!(!is_canonical(odd, &args), "{}", odd.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical(args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..12)) {
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            let mut wire = Vec::new();
            encode(&mut wire, &args);
            prop_assert!(is_canonical(&wire, &args));
        }
    }
}
