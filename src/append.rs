//! Feeds topics of the embedded log: rows of several streams, interleaved by event time.
//!
//! Each source has a thread that reads ahead; the loop takes rows in the order of their times, as
//! fast as asked, and makes them durable in groups. A source that waits, such as standard input,
//! holds the others back: their order is one.

use crate::failure::Failure;
use crate::signals::Stop;
use crate::words;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use trueup_backtest::Progress;
use trueup_connector::Error;
use trueup_connector::feed::{BadRow, FedRows, RowFeed};
use trueup_connector::log::LogWriter;

/// Rows that are taken at a time at most.
const ROUND_ROWS: usize = 8192;
/// How long one wait lasts before other things are looked at.
const TICK: Duration = Duration::from_millis(5);
/// How many batches a source reads ahead.
const AHEAD: usize = 2;

/// A topic and what is appended to it.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) event: String,
    pub(crate) name: String,
    writer: LogWriter,
    key: Option<String>,
    fed: Receiver<Result<FedRows, Error>>,
    /// Rows taken from the source; those before `at` were appended.
    rows: VecDeque<FedRows>,
    at: usize,
    has_ended: bool,
    first_offsets: Vec<u64>,
    appended: Appended,
}

/// What became of a topic's rows.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Appended {
    pub(crate) event: String,
    pub(crate) topic: String,
    pub(crate) rows: u64,
    pub(crate) partitions: Vec<Offsets>,
    /// What the topic takes on the disk now.
    pub(crate) bytes: u64,
    pub(crate) rows_per_second: f64,
    /// Rows that have not happened yet: their time is null.
    pub(crate) null_time_rows: u64,
    pub(crate) bad_rows: u64,
    /// The time of the last row.
    pub(crate) last_event_time: Option<String>,
}

/// Offsets appended to a partition: from `first` to before `next`.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Offsets {
    pub(crate) partition: u32,
    pub(crate) first: u64,
    pub(crate) next: u64,
}

/// How fast to append.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    /// Seconds of event time per second; as fast as it goes if absent.
    pub(crate) speed: Option<f64>,
    /// Rows of all topics per second.
    pub(crate) rate: Option<f64>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// Everything was appended.
    Done,
    /// It was told to stop.
    Stopped,
}

impl Topic {
    /// Starts to read a source.
    pub(crate) fn start(
        event: &str,
        name: &str,
        writer: LogWriter,
        key: Option<String>,
        mut feed: RowFeed,
    ) -> std::io::Result<Self> {
        let (sender, fed) = sync_channel(AHEAD);
        let read = move || {
            while let Some(next) = feed.next_rows().transpose() {
                let is_last = next.is_err();
                if sender.send(next).is_err() || is_last {
                    return;
                }
            }
        };
        std::thread::Builder::new().name(format!("read-{event}")).spawn(read)?;
        let first_offsets = (0..writer.partitions()).map(|part| writer.durable(part)).collect();
        let (event, name) = (event.to_owned(), name.to_owned());
        let (rows, at, has_ended, appended) = (VecDeque::new(), 0, false, Appended::default());
        Ok(Self { event, name, writer, key, fed, rows, at, has_ended, first_offsets, appended })
    }

    /// The time of the next row, in microseconds.
    fn head(&self, ahead: usize) -> Option<i64> {
        Some(self.rows.front()?.times.get(self.at + ahead)?.micros())
    }

    /// Waits a moment for rows if there are none; false while there are none.
    fn is_ready(
        &mut self,
        told: &mut dyn FnMut(&str, &BadRow) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        while !self.has_ended && self.head(0).is_none() {
            self.rows.clear();
            self.at = 0;
            match self.fed.recv_timeout(TICK) {
                Ok(fed) => {
                    let fed = fed?;
                    self.appended.null_time_rows += fed.null_time_count;
                    self.appended.bad_rows += fed.bad.len() as u64;
                    for bad in &fed.bad {
                        told(&self.event, bad)?;
                    }
                    self.rows.push_back(fed);
                }
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => self.has_ended = true,
            }
        }
        Ok(true)
    }

    /// Appends the next rows.
    fn append(&mut self, count: usize) -> Result<(), Failure> {
        let Some(fed) = self.rows.front().filter(|_| count > 0) else { return Ok(()) };
        let rows = fed.rows.slice(self.at, count);
        match &self.key {
            Some(key) => self.writer.append_by_key(&rows, key)?,
            None => {
                self.writer.append(0, &rows)?;
            }
        }
        self.at += count;
        let last = fed.times[self.at - 1];
        self.appended.last_event_time = Some(last.to_string());
        self.appended.rows += count as u64;
        Ok(())
    }

    /// Syncs, gives the topic up, and says what was appended.
    fn end(self, elapsed: Duration) -> Result<Appended, Failure> {
        let Self { event, name, mut writer, mut appended, first_offsets, .. } = self;
        writer.sync()?;
        appended.partitions = durable(&writer, &first_offsets);
        appended.rows_per_second = appended.rows as f64 / elapsed.as_secs_f64().max(1e-3);
        (appended.event, appended.topic) = (event, name);
        writer.finish()?;
        Ok(appended)
    }

    /// How far it got before a failure.
    fn so_far(&mut self) -> String {
        // What cannot be made durable any more does not count.
        let _ = self.writer.sync();
        let offsets = durable(&self.writer, &self.first_offsets);
        let rows: u64 = offsets.iter().map(|offsets| offsets.next - offsets.first).sum();
        let offsets: Vec<String> = offsets.iter().map(Offsets::to_string).collect();
        format!("{}: {rows} rows were appended before, offsets {}", self.name, offsets.join(" "))
    }
}

fn durable(writer: &LogWriter, first_offsets: &[u64]) -> Vec<Offsets> {
    let offsets = |(partition, first): (u32, &u64)| {
        let next = writer.durable(partition);
        Offsets { partition, first: *first, next }
    };
    (0..).zip(first_offsets).map(offsets).collect()
}

impl std::fmt::Display for Offsets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.next)
    }
}

/// Appends until all sources have ended or it is told to stop; tells of every bad row.
pub(crate) fn append(
    mut topics: Vec<Topic>,
    pace: Pace,
    stop: &Stop,
    progress: &Progress,
    told: impl FnMut(&str, &BadRow) -> Result<(), Failure>,
) -> Result<(Vec<Appended>, Ended), Failure> {
    let mut clock = Clock { pace, began: Instant::now(), first: None, rows: 0 };
    let ended = drive(&mut topics, &mut clock, stop, progress, told).inspect_err(|_| {
        for topic in &mut topics {
            words::say(&topic.so_far());
        }
    })?;
    let elapsed = clock.began.elapsed();
    let ends = topics.into_iter().map(|topic| topic.end(elapsed));
    Ok((ends.collect::<Result<_, _>>()?, ended))
}

fn drive(
    topics: &mut [Topic],
    clock: &mut Clock,
    stop: &Stop,
    progress: &Progress,
    mut told: impl FnMut(&str, &BadRow) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    loop {
        if stop.is_asked() {
            return Ok(Ended::Stopped);
        }
        let mut is_ready = true;
        for topic in &mut *topics {
            topic.writer.sync_if_due()?;
            is_ready &= topic.is_ready(&mut told)?;
        }
        if !is_ready {
            continue;
        }
        if topics.iter().all(|topic| topic.has_ended) {
            return Ok(Ended::Done);
        }
        let counts = clock.next(topics);
        for (topic, count) in topics.iter_mut().zip(&counts) {
            topic.append(*count)?;
        }
        let count: usize = counts.iter().sum();
        clock.rows += count as u64;
        progress.done.fetch_add(count as u64, Ordering::Relaxed);
        if count == 0 {
            std::thread::sleep(TICK);
        }
    }
}

/// What the wall clock allows.
struct Clock {
    pace: Pace,
    began: Instant,
    /// The first event time, in microseconds.
    first: Option<i64>,
    rows: u64,
}

impl Clock {
    /// How many of each topic's rows come next: by time, until rows of one are wanting.
    fn next(&mut self, topics: &[Topic]) -> Vec<usize> {
        if self.first.is_none() {
            self.first = topics.iter().filter_map(|topic| topic.head(0)).min();
            self.began = Instant::now();
        }
        let elapsed = self.began.elapsed().as_secs_f64();
        let until = match (self.pace.speed, self.first) {
            (Some(speed), Some(first)) => first.saturating_add((elapsed * speed * 1e6) as i64),
            (None, _) | (_, None) => i64::MAX,
        };
        let due = self.pace.rate.map_or(u64::MAX, |rate| (elapsed * rate) as u64 + 1);
        let room = due.saturating_sub(self.rows).min(ROUND_ROWS as u64) as usize;
        let mut counts = vec![0; topics.len()];
        for _ in 0..room {
            let heads = topics.iter().zip(&counts).map(|(topic, count)| topic.head(*count));
            let wants = topics.iter().zip(heads.clone()).any(|(t, h)| h.is_none() && !t.has_ended);
            let next = heads.enumerate().filter_map(|(at, head)| Some((head?, at))).min();
            match next.filter(|(time, _)| !wants && *time <= until) {
                Some((_, at)) => counts[at] += 1,
                None => break,
            }
        }
        counts
    }
}
