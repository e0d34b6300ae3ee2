//! Connections as TCP has them: bytes arrive late, in pieces of any size, in order, or not at all.
//!
//! A direction between two nodes may be deaf: what is sent that way waits until it hears again. A
//! connection ends by a FIN that arrives behind the data, by a reset at once, or, if its other end
//! died silently, never.

use std::collections::VecDeque;

use replication::Random;

#[derive(Debug)]
pub enum Piece {
    Bytes(Vec<u8>),
    Fin,
}

#[derive(Debug, Default)]
pub struct Flow {
    pub pieces: VecDeque<Piece>,
    pub in_flight_bytes: usize,
    last_at_ms: u64,
}

/// One end of a connection: which life of which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub node: usize,
    pub life: u64,
    pub is_closed: bool,
}

/// End 0 opened it; flow 0 goes from end 0 to end 1.
#[derive(Debug)]
pub struct Connection {
    pub ends: [End; 2],
    pub flows: [Flow; 2],
}

impl Connection {
    pub fn new(opener: End, acceptor: End) -> Connection {
        Connection {
            ends: [opener, acceptor],
            flows: Default::default(),
        }
    }

    /// Puts bytes on their way; the answer is when each piece arrives.
    pub fn send(
        &mut self,
        from: usize,
        bytes: &[u8],
        now_ms: u64,
        delay_max_ms: u64,
        random: &mut Random,
    ) -> Vec<u64> {
        if self.ends[from].is_closed {
            return Vec::new();
        }
        let mut times = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = match random.below(4) {
                0 => 1 + random.below(rest.len().min(12) as u64) as usize,
                _ => rest.len().min(1 + random.below(700) as usize),
            };
            let (piece, tail) = rest.split_at(len);
            rest = tail;
            self.flows[from].in_flight_bytes += piece.len();
            times.push(self.push(
                from,
                Piece::Bytes(piece.to_vec()),
                now_ms,
                delay_max_ms,
                random,
            ));
        }
        times
    }

    /// This end is done; the other one will hear of it.
    pub fn close(
        &mut self,
        from: usize,
        now_ms: u64,
        delay_max_ms: u64,
        random: &mut Random,
    ) -> Option<u64> {
        if std::mem::replace(&mut self.ends[from].is_closed, true) {
            return None;
        }
        Some(self.push(from, Piece::Fin, now_ms, delay_max_ms, random))
    }

    fn push(
        &mut self,
        from: usize,
        piece: Piece,
        now_ms: u64,
        delay_max_ms: u64,
        random: &mut Random,
    ) -> u64 {
        let flow = &mut self.flows[from];
        let at_ms = (now_ms + random.below(delay_max_ms + 1)).max(flow.last_at_ms);
        flow.last_at_ms = at_ms;
        flow.pieces.push_back(piece);
        at_ms
    }
}
