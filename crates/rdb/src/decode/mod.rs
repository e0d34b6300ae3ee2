//! `Decoder`: RDB bytes to keys and values, as they arrive.
//!
//! ```text
//! Magic ─► Op ─┬─► attributes, fields, hints ──────────► Op
//!              ├─► key ─► Value (element by element) ──► Op
//!              ├─► ModuleAux (stepped over) ───────────► Op
//!              └─► Checksum ─► Done
//! ```
//! Each call reads from the front of the input and consumes what it is done with. Where the input
//! ends, the state is kept: the key, and a collection with the elements so far. A value that lies
//! in the input whole, by far the usual case, is read in one go, its key and a short string
//! borrowed from the input.
//!
//! Knows no files, no clock, and not what a key that is there twice means. Tests: `tests/`,
//! `examples/fuzz_rdb.rs`.

mod build;
pub(crate) mod cursor;
mod packed;
mod skip;

use structures::entry::NewValue;

use crate::AccessInfo;
use crate::checksum::Checksum;
use crate::error::{Doing, LoadError, ModuleName, Reason};
use crate::event::{ChecksumFound, Event, Loaded};
use crate::format::{self, module, opcode};
use crate::limits::LoadLimits;
use build::{Built, Filling, Plan, Rooms};
use cursor::{Cursor, Read, Stop, Text};
use skip::Skip;

/// What [`Decoder::wanted`] never exceeds: what is only claimed is not asked for at once.
const WANTED_MAX_BYTES: u64 = 1 << 20;

enum State {
    Magic,
    Op,
    Value { code: u8, filling: Filling },
    ModuleAux(Skip),
    Functions(Skip),
    Checksum,
    Done,
}

/// Where a key lies.
enum Key<'i> {
    Input(&'i [u8]),
    /// In [`Decoder::key`].
    Kept,
}

/// An event without what is borrowed from the decoder.
enum Step<'i> {
    /// The aux field's texts are in `key` and `rooms.value`.
    Aux,
    SelectDb,
    ResizeDb {
        keys: u64,
        volatile: u64,
    },
    Value {
        code: u8,
        key: Key<'i>,
        built: Built<'i>,
    },
    ModuleAux(ModuleName),
    Functions,
    End(ChecksumFound),
}

/// See the file header.
pub struct Decoder {
    limits: LoadLimits,
    checksum: Option<Checksum>,
    skips_foreign: bool,
    version: u16,
    is_valkey: bool,
    state: State,
    /// Bytes consumed.
    offset: u64,
    /// Where the input ended too early the last time, and what for.
    stalled: Option<LoadError>,
    wanted: usize,
    doing: Doing,
    kind: Option<u8>,
    db: u32,
    expiry_ms: Option<i64>,
    access: AccessInfo,
    key: Vec<u8>,
    rooms: Rooms,
}

impl Decoder {
    /// `check_sum`: whether the checksum at the end is compared (`rdbchecksum`).
    pub fn new(limits: LoadLimits, check_sum: bool) -> Decoder {
        Decoder {
            limits,
            checksum: check_sum.then(Checksum::new),
            skips_foreign: false,
            version: 0,
            is_valkey: false,
            state: State::Magic,
            offset: 0,
            stalled: None,
            wanted: format::MAGIC_BYTES,
            doing: Doing::Start,
            kind: None,
            db: 0,
            expiry_ms: None,
            access: AccessInfo::None,
            key: Vec::new(),
            rooms: Rooms::default(),
        }
    }

    /// Steps over what this release does not serve instead of refusing it: for tools that look at
    /// a file, never for loading it.
    pub fn skip_foreign(mut self) -> Decoder {
        self.skips_foreign = true;
        self
    }

    /// Consumes from the front of `input` up to the next event. `Ok(None)`: the rest is to be kept
    /// and given again with more behind it; see [`Decoder::wanted`]. After the last event nothing
    /// is consumed any more. After an error the decoder is of no further use.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'s>>, LoadError> {
        let mut cursor = Cursor::new(input);
        let step = self.step(&mut cursor);
        match self.settle(step, &mut cursor, input)? {
            Some(step) => Ok(Some(self.event(step))),
            None => Ok(None),
        }
    }

    /// As [`Decoder::next`] over and over, showing each event to `see`, until that returns false or
    /// the input has to go on. True in the first case. Faster for many small keys, because the
    /// checksum is made of all they take at once.
    pub fn run(
        &mut self,
        input: &mut &[u8],
        see: &mut dyn FnMut(Event<'_>) -> bool,
    ) -> Result<bool, LoadError> {
        let mut cursor = Cursor::new(input);
        loop {
            match self.step(&mut cursor) {
                Ok(step) => {
                    if !see(self.event(step)) {
                        self.settle(Ok(Step::SelectDb), &mut cursor, input)?;
                        return Ok(true);
                    }
                }
                Err(stop) => {
                    self.settle(Err(stop), &mut cursor, input)?;
                    return Ok(false);
                }
            }
        }
    }

    /// Consumes what the cursor is done with, and turns what stopped it into an error if it is one.
    #[inline]
    fn settle<'i>(
        &mut self,
        step: Read<Step<'i>>,
        cursor: &mut Cursor<'i>,
        input: &mut &'i [u8],
    ) -> Result<Option<Step<'i>>, LoadError> {
        self.sum(cursor);
        let reached = self.offset + cursor.at() as u64;
        self.offset += cursor.committed() as u64;
        *input = &input[cursor.committed()..];
        match step {
            Ok(step) => Ok(Some(step)),
            Err(Stop::More(missing)) => {
                self.stall(missing, reached);
                Ok(None)
            }
            Err(Stop::Bad(reason)) => Err(self.error(*reason, reached)),
        }
    }

    /// Adds what the cursor is done with to the checksum.
    #[inline]
    fn sum(&mut self, cursor: &mut Cursor<'_>) {
        let fresh = cursor.take_unsummed();
        if let Some(sum) = &mut self.checksum {
            sum.update(fresh);
        }
    }

    /// How many bytes behind the rest of the input [`Decoder::next`] can make use of; more may be
    /// necessary, because what is only claimed is not asked for at once.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Bytes consumed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether [`Event::End`] was found.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The version in the file's first bytes; 0 before they were read.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The input is over: an error if it should not be.
    pub fn at_end(&self) -> Result<(), LoadError> {
        if self.is_done() {
            return Ok(());
        }
        match &self.stalled {
            Some(error) => Err(error.clone()),
            None => Err(self.error(Reason::UnexpectedEnd, self.offset)),
        }
    }

    fn stall(&mut self, missing: u64, reached: u64) {
        if self.is_done() {
            self.wanted = 0;
            return;
        }
        self.wanted = missing.clamp(1, WANTED_MAX_BYTES) as usize;
        self.stalled = Some(self.error(Reason::UnexpectedEnd, reached));
    }

    #[cold]
    fn error(&self, reason: Reason, offset: u64) -> LoadError {
        let has_key = matches!(self.doing, Doing::ReadObjectValue);
        LoadError {
            offset,
            reason,
            key: has_key.then(|| self.key.clone()),
            kind: self.kind,
            doing: self.doing,
        }
    }
}

/// The states.
impl Decoder {
    #[inline]
    fn step<'i>(&mut self, cursor: &mut Cursor<'i>) -> Read<Step<'i>> {
        loop {
            match self.state {
                State::Op => {
                    if let Some(step) = self.op(cursor)? {
                        return Ok(step);
                    }
                }
                State::Value { .. } => return self.go_on(cursor),
                State::Magic => self.magic(cursor)?,
                State::ModuleAux(ref mut skip) => {
                    skip.run(cursor)?;
                    self.state = State::Op;
                }
                State::Functions(ref mut skip) => {
                    skip.run(cursor)?;
                    self.state = State::Op;
                    return Ok(Step::Functions);
                }
                State::Checksum => {
                    // The sum covers everything before itself.
                    self.sum(cursor);
                    let found = self.compare_checksum(cursor)?;
                    self.state = State::Done;
                    return Ok(Step::End(found));
                }
                State::Done => return Err(Stop::More(0)),
            }
        }
    }

    fn magic(&mut self, cursor: &mut Cursor<'_>) -> Read<()> {
        let magic: [u8; format::MAGIC_BYTES] = cursor.array()?;
        let digits = match &magic {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => digits.as_slice(),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => digits.as_slice(),
            _ => return Err(Reason::WrongSignature.into()),
        };
        self.is_valkey = magic[0] == b'V';
        let version = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0u32, |version, byte| version * 10 + u32::from(byte - b'0'));
        let is_known = if self.is_valkey {
            version == u32::from(format::VERSION_VALKEY)
        } else {
            (1..=u32::from(self.limits.max_version)).contains(&version)
        };
        if !is_known {
            return Err(Reason::UnsupportedVersion(version).into());
        }
        self.version = version as u16;
        cursor.commit();
        self.state = State::Op;
        Ok(())
    }

    fn compare_checksum(&mut self, cursor: &mut Cursor<'_>) -> Read<ChecksumFound> {
        self.doing = Doing::CheckSum;
        if self.version < format::VERSION_WITH_CHECKSUM {
            return Ok(ChecksumFound::NotChecked);
        }
        let found = u64::from_le_bytes(cursor.array::<{ format::CHECKSUM_BYTES }>()?);
        cursor.commit();
        let Some(sum) = &self.checksum else {
            return Ok(ChecksumFound::NotChecked);
        };
        let expected = sum.value();
        match found {
            0 => Ok(ChecksumFound::Disabled),
            _ if found == expected => Ok(ChecksumFound::Right),
            _ => Err(Reason::WrongChecksum { expected, found }.into()),
        }
    }

    /// One opcode or one key with its value. `None`: nothing to show, but something was read.
    #[inline]
    fn op<'i>(&mut self, cursor: &mut Cursor<'i>) -> Read<Option<Step<'i>>> {
        self.doing = Doing::ReadType;
        self.kind = None;
        let code = cursor.byte()?;
        let step = match code {
            opcode::EXPIRE_TIME_MS => {
                self.doing = Doing::ReadExpire;
                self.expiry_ms = known_expiry(i64::from_le_bytes(cursor.array()?));
                None
            }
            opcode::EXPIRE_TIME => {
                self.doing = Doing::ReadExpire;
                let seconds = i32::from_le_bytes(cursor.array()?);
                self.expiry_ms = known_expiry(i64::from(seconds) * 1000);
                None
            }
            opcode::FREQ => {
                self.access = AccessInfo::Frequency(cursor.byte()?);
                None
            }
            opcode::IDLE => {
                self.access = AccessInfo::IdleSeconds(cursor.length()?);
                None
            }
            opcode::SLOT_IMPORT..=opcode::AUX
            | opcode::RESIZE_DB
            | opcode::SELECT_DB
            | opcode::EOF => self.rare_op(code, cursor)?,
            _ => return self.entry(code, cursor).map(Some),
        };
        cursor.commit();
        Ok(step)
    }

    fn rare_op<'i>(&mut self, code: u8, cursor: &mut Cursor<'i>) -> Read<Option<Step<'i>>> {
        match code {
            opcode::SELECT_DB => {
                self.doing = Doing::ReadLen;
                let db = cursor.length()?;
                self.db = u32::try_from(db).map_err(|_| Reason::DbOutOfRange(db))?;
                return Ok(Some(Step::SelectDb));
            }
            opcode::RESIZE_DB => {
                self.doing = Doing::ReadLen;
                let (keys, volatile) = (cursor.length()?, cursor.length()?);
                return Ok(Some(Step::ResizeDb { keys, volatile }));
            }
            opcode::AUX => {
                self.doing = Doing::ReadAux;
                let (key, value) = (cursor.text()?, cursor.text()?);
                key.copy_to(&mut self.key)?;
                value.copy_to(&mut self.rooms.value)?;
                return Ok(Some(Step::Aux));
            }
            opcode::SLOT_INFO => {
                // Slot, keys, volatile keys: a hint that says nothing about what follows.
                self.doing = Doing::ReadLen;
                for _ in 0..3 {
                    cursor.length()?;
                }
            }
            opcode::MODULE_AUX => return self.module_aux(cursor).map(Some),
            opcode::FUNCTION_2 => {
                self.doing = Doing::ReadFunctions;
                if !self.skips_foreign {
                    return Err(Reason::RefusedFunctions.into());
                }
                self.state = State::Functions(Skip::functions());
            }
            opcode::FUNCTION_PRE_GA => return Err(Reason::PreReleaseFunctions.into()),
            opcode::SLOT_IMPORT => return Err(Reason::RefusedSlotImport.into()),
            _ => self.state = State::Checksum,
        }
        Ok(None)
    }

    fn module_aux<'i>(&mut self, cursor: &mut Cursor<'i>) -> Read<Step<'i>> {
        self.doing = Doing::ReadModuleAux;
        let module = ModuleName(cursor.length()?);
        let (when_opcode, _when) = (cursor.length()?, cursor.length()?);
        if when_opcode != module::UINT {
            return Err(Reason::BadWhenOpcode(when_opcode).into());
        }
        if !self.skips_foreign {
            return Err(Reason::RefusedModuleAux(module).into());
        }
        self.state = State::ModuleAux(Skip::module());
        Ok(Step::ModuleAux(module))
    }

    /// A key and as much of its value as there is.
    #[inline]
    fn entry<'i>(&mut self, code: u8, cursor: &mut Cursor<'i>) -> Read<Step<'i>> {
        self.kind = Some(code);
        if !is_type(code) {
            return Err(Reason::UnknownType(code).into());
        }
        self.doing = Doing::ReadKey;
        let key = match cursor.text()? {
            Text::Plain(bytes) => Key::Input(bytes),
            text => {
                text.copy_to(&mut self.key)?;
                Key::Kept
            }
        };
        cursor.commit();
        self.doing = Doing::ReadObjectValue;
        let mut filling = Filling::Start;
        match self.advance(code, &mut filling, cursor) {
            Ok(built) => Ok(Step::Value { code, key, built }),
            Err(stop) => {
                if let Key::Input(bytes) = key {
                    self.key.clear();
                    self.key.extend_from_slice(bytes);
                }
                self.state = State::Value { code, filling };
                Err(stop)
            }
        }
    }

    /// More of a value that was begun in an earlier call.
    fn go_on<'i>(&mut self, cursor: &mut Cursor<'i>) -> Read<Step<'i>> {
        let State::Value { code, mut filling } = std::mem::replace(&mut self.state, State::Op)
        else {
            unreachable!("called in this state");
        };
        match self.advance(code, &mut filling, cursor) {
            Ok(built) => {
                let key = Key::Kept;
                Ok(Step::Value { code, key, built })
            }
            Err(stop) => {
                self.state = State::Value { code, filling };
                Err(stop)
            }
        }
    }

    #[inline]
    fn advance<'i>(
        &mut self,
        code: u8,
        filling: &mut Filling,
        cursor: &mut Cursor<'i>,
    ) -> Read<Built<'i>> {
        let plan = Plan {
            code,
            limits: &self.limits,
            skips_foreign: self.skips_foreign,
            is_valkey: self.is_valkey,
        };
        let built = build::advance(&plan, filling, cursor, &mut self.rooms)?;
        cursor.commit();
        Ok(built)
    }

    #[inline]
    fn event<'s, 'i: 's>(&'s mut self, step: Step<'i>) -> Event<'s> {
        let db = self.db;
        match step {
            Step::Value { code, key, built } => {
                let key: &'s [u8] = match key {
                    Key::Input(bytes) => bytes,
                    Key::Kept => &self.key,
                };
                let expiry_ms = self.expiry_ms.take();
                let access = std::mem::take(&mut self.access);
                let kind = code;
                match built {
                    Built::Empty => Event::Empty { db, key },
                    Built::Foreign => Event::Foreign {
                        db,
                        key,
                        kind,
                        expiry_ms,
                    },
                    built => Event::Entry {
                        db,
                        key,
                        value: loaded(built, &self.rooms.value),
                        expiry_ms,
                        access,
                    },
                }
            }
            Step::Aux => Event::Aux {
                key: &self.key,
                value: &self.rooms.value,
            },
            Step::SelectDb => Event::SelectDb { db },
            Step::ResizeDb { keys, volatile } => Event::ResizeDb { db, keys, volatile },
            Step::ModuleAux(module) => Event::ModuleAux { module },
            Step::Functions => Event::Functions,
            Step::End(checksum) => Event::End { checksum },
        }
    }
}

/// Redis keeps -1 for "none" and takes it for that when it reads one.
#[inline]
fn known_expiry(at_ms: i64) -> Option<i64> {
    (at_ms != -1).then_some(at_ms)
}

/// Whether any release has written values of this type.
#[inline]
fn is_type(code: u8) -> bool {
    use crate::format::kind;
    code <= kind::HASH_EXPIRING_25 && code != kind::NEVER_USED
}

fn loaded<'a>(built: Built<'a>, room: &'a [u8]) -> Loaded<'a> {
    match built {
        Built::Int(value) => NewValue::Int(value),
        Built::Input(bytes) => NewValue::Bytes(bytes),
        Built::Room => NewValue::Bytes(room),
        Built::Value(value) => NewValue::Payload(value),
        Built::Empty | Built::Foreign => unreachable!("no values"),
    }
}

/// The value of a DUMP payload's body; `room` is for a short string that was compressed.
pub(crate) fn decode_value<'a>(
    body: &'a [u8],
    limits: &LoadLimits,
    is_valkey: bool,
    room: &'a mut Vec<u8>,
) -> Result<Loaded<'a>, LoadError> {
    let mut cursor = Cursor::new(body);
    let mut kind = None;
    let mut rooms = Rooms::default();
    let result = decode_body(&mut cursor, limits, is_valkey, &mut rooms, &mut kind);
    let reason = match result {
        Ok(built) => {
            *room = rooms.value;
            return Ok(loaded(built, room));
        }
        Err(Stop::More(_)) => Reason::UnexpectedEnd,
        Err(Stop::Bad(reason)) => *reason,
    };
    Err(LoadError {
        offset: cursor.at() as u64,
        reason,
        key: None,
        kind,
        doing: Doing::ReadObjectValue,
    })
}

fn decode_body<'a>(
    cursor: &mut Cursor<'a>,
    limits: &LoadLimits,
    is_valkey: bool,
    rooms: &mut Rooms,
    kind: &mut Option<u8>,
) -> Read<Built<'a>> {
    let code = cursor.byte()?;
    *kind = Some(code);
    let plan = Plan {
        code,
        limits,
        skips_foreign: false,
        is_valkey,
    };
    let built = build::advance(&plan, &mut Filling::Start, cursor, rooms)?;
    match built {
        Built::Empty => Err(Reason::Empty.into()),
        _ if cursor.remaining() > 0 => Err(Reason::TrailingBytes.into()),
        built => Ok(built),
    }
}
