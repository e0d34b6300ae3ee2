//! A thread with a queue, for work that must not hold up a turn: fsync, freeing large values.
//!
//! Jobs run one after another in the order they were submitted, so "everything before this one is
//! done" can be said of a job. Dropping the queue, or [`Background::drain`], runs what is left
//! first: a server that stops must not forget an fsync. When a [`Waker`] is given, the reactor
//! turns after each burst of jobs. Jobs carry their own results out (a channel, an atomic); the
//! queue knows nothing of them.
//!
//! Tests are at the bottom.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::alloc;
use crate::reactor::Waker;

pub type Job = Box<dyn FnOnce() + Send>;

/// The submitting side. One owner; dropping it runs the remaining jobs and joins the thread.
pub struct Background {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Signalled for the worker: a job came, or the end.
    work: Condvar,
    /// Signalled by the worker: nothing is pending.
    idle: Condvar,
}

struct Queue {
    jobs: VecDeque<Job>,
    /// Jobs not finished yet: the queued ones and the one that runs.
    pending: usize,
    closing: bool,
}

impl Background {
    /// Starts the thread. `waker`, if any, is woken when jobs have been completed.
    pub fn spawn(name: &str, waker: Option<Waker>) -> io::Result<Background> {
        Background::spawn_nice(name, waker, 0)
    }

    /// As [`Background::spawn`], with so much less claim to a processor than the thread that calls:
    /// for long work that must not be felt where cores are few.
    pub fn spawn_nice(name: &str, waker: Option<Waker>, nice: i32) -> io::Result<Background> {
        let queue = Queue {
            jobs: VecDeque::new(),
            pending: 0,
            closing: false,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            idle: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                if nice != 0 {
                    // Linux applies this to the calling thread alone. A refusal costs politeness only.
                    let _ = rustix::process::nice(nice);
                }
                worker.run(waker.as_ref());
            })?;
        Ok(Background {
            shared,
            thread: Some(thread),
        })
    }

    pub fn submit(&self, job: Job) {
        let mut queue = self.shared.lock();
        queue.pending += 1;
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.work.notify_one();
    }

    /// How many jobs are not finished.
    pub fn pending(&self) -> usize {
        self.shared.lock().pending
    }

    /// Waits until every job submitted so far is finished.
    pub fn drain(&self) {
        let mut queue = self.shared.lock();
        while queue.pending > 0 {
            queue = self
                .shared
                .idle
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // Jobs' panics are caught; there is nothing to learn from the join.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The state is consistent between any two statements, so poisoning means nothing here.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, waker: Option<&Waker>) {
        while let Some(job) = self.next() {
            alloc::start_thread_balance();
            // Where panics unwind, one bad job must not leave `pending` above zero for ever.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            alloc::publish_thread_balance();
            let mut queue = self.lock();
            queue.pending -= 1;
            let burst_over = queue.pending == 0;
            drop(queue);
            if burst_over {
                self.idle.notify_all();
            }
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// The next job, or none when the owner has gone and all are done.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closing {
                return None;
            }
            queue = self
                .work
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn jobs_run_in_order() {
        let background = Background::spawn("test", None).expect("thread");
        let (sender, receiver) = mpsc::channel();
        for i in 0..1000 {
            let sender = sender.clone();
            background.submit(Box::new(move || sender.send(i).expect("receiver lives")));
        }
        background.drain();
        assert_eq!(background.pending(), 0);
        drop(sender);
        assert!(receiver.into_iter().eq(0..1000));
    }

    #[test]
    fn pending_counts_the_running_job() {
        let background = Background::spawn("test", None).expect("thread");
        let (release, gate) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        background.submit(Box::new(move || {
            started.send(()).expect("receiver lives");
            gate.recv().expect("sender lives");
        }));
        background.submit(Box::new(|| {}));
        has_started.recv().expect("the job started");
        assert_eq!(background.pending(), 2);
        release.send(()).expect("receiver lives");
        background.drain();
        assert_eq!(background.pending(), 0);
    }

    #[test]
    fn dropping_the_queue_finishes_its_jobs() {
        let (sender, receiver) = mpsc::channel();
        let background = Background::spawn("test", None).expect("thread");
        for i in 0..100 {
            let sender = sender.clone();
            background.submit(Box::new(move || sender.send(i).expect("receiver lives")));
        }
        drop(background);
        drop(sender);
        assert_eq!(receiver.into_iter().count(), 100);
    }

    #[test]
    fn a_panicking_job_does_not_stop_the_queue() {
        let background = Background::spawn("test", None).expect("thread");
        background.submit(Box::new(|| std::panic::resume_unwind(Box::new("bad job"))));
        let (sender, receiver) = mpsc::channel();
        background.submit(Box::new(move || sender.send(7).expect("receiver lives")));
        assert_eq!(receiver.recv(), Ok(7));
        background.drain();
    }
}
