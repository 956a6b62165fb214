//! Measures a server under steady load, with and without swaps: latency, failures, and the time
//! from publishing to serving.
//!
//! `cargo run --release -p trueup-serving-bridge --example load`
//!
//! Publishing costs time of the machine by itself. So the load is measured three times: with
//! nothing published, with versions published to a registry that nobody follows, and with the same
//! versions published and swapped in. The last against the second is what a swap costs.
//!
//! The load is open-loop: each request has an intended start, and its time counts from there, so
//! that a stall is paid by every request it delays and not by one alone.

#![allow(clippy::unwrap_used)]

#[path = "../tests/it/client.rs"]
mod client;
#[path = "../tests/it/fixture.rs"]
mod fixture;

use client::{Client, Running};
use fixture::{Flight, MODEL, World, version};
use hdrhistogram::Histogram;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use trueup_registry::{ModelName, ModelRegistry, NewVersion};
use trueup_serving_bridge::{Bridge, BridgeOptions, ServerOptions, Slot};

const CONNECTIONS: u32 = 2;
const REQUESTS_PER_SECOND: u32 = 1_000;
const SWAPS: u32 = 200;
const SWAPS_PER_SECOND: u32 = 10;

/// What a load found; times in microseconds.
struct Found {
    micros: Histogram<u64>,
    failures: u64,
}

/// Sends V2 inferences at a fixed rate for a time.
fn load(address: SocketAddr, bodies: &[Vec<u8>], time: Duration) -> Found {
    let every = Duration::from_secs(1) * CONNECTIONS / REQUESTS_PER_SECOND;
    let began = Instant::now() + Duration::from_millis(10);
    let connection = |index: u32| {
        let mut found = Found { micros: Histogram::new(3).unwrap(), failures: 0 };
        let mut client = Client::new(address);
        let mut intended = began + every * index / CONNECTIONS;
        let path = format!("/v2/models/{MODEL}/infer");
        for body in bodies.iter().cycle() {
            if intended.duration_since(began) > time {
                break;
            }
            wait_until(intended);
            match client.request("POST", &path, &[], body) {
                Ok(reply) if reply.status == 200 => {}
                Ok(_) => found.failures += 1,
                Err(_) => {
                    found.failures += 1;
                    client = Client::new(address);
                }
            }
            let micros = intended.elapsed().as_micros() as u64;
            found.micros.record(micros).unwrap();
            intended += every;
        }
        found
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CONNECTIONS).map(|index| scope.spawn(move || connection(index))).collect();
        let mut all = Found { micros: Histogram::new(3).unwrap(), failures: 0 };
        for thread in threads {
            let found = thread.join().unwrap();
            all.micros.add(found.micros).unwrap();
            all.failures += found.failures;
        }
        all
    })
}

fn wait_until(at: Instant) {
    let now = Instant::now();
    if at > now {
        std::thread::sleep(at - now);
    }
}

fn body(flight: &Flight) -> Vec<u8> {
    let row = flight.json();
    let inputs = row.as_object().unwrap().iter().map(|(name, value)| {
        let datatype = if value.is_string() { "BYTES" } else { "FP64" };
        serde_json::json!({ "name": name, "datatype": datatype, "shape": [1], "data": [value] })
    });
    let inputs: Vec<_> = inputs.collect();
    serde_json::json!({ "inputs": inputs }).to_string().into_bytes()
}

/// Publishes versions at a steady rate. With the place where they are served, waits for each there,
/// and gives how long that took from the begin of publishing, and from its end.
fn publish(
    model: &mut ModelRegistry,
    versions: &[NewVersion],
    slot: Option<&Slot>,
) -> [Histogram<u64>; 2] {
    let mut micros = [(); 2].map(|()| Histogram::new(3).unwrap());
    let mut at = Instant::now();
    for next in versions {
        at += Duration::from_secs(1) / SWAPS_PER_SECOND;
        wait_until(at);
        let next = NewVersion { promote: true, ..next.clone() };
        let began = Instant::now();
        let number = model.publish(&[next], &fixture::commit()).unwrap().numbers[0];
        let written = Instant::now();
        if let Some(slot) = slot {
            while version(slot) != Some(number) {
                std::thread::sleep(Duration::from_millis(2));
            }
            micros[0].record(began.elapsed().as_micros() as u64).unwrap();
            micros[1].record(written.elapsed().as_micros() as u64).unwrap();
        }
    }
    micros
}

fn line(name: &str, micros: &Histogram<u64>) -> String {
    let at = |q: f64| micros.value_at_quantile(q) as f64 / 1e3;
    let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
    let (count, max) = (micros.len(), micros.max() as f64 / 1e3);
    format!("{name}: {count} times, p50 {p50:.3} p99 {p99:.3} p99.9 {p999:.3} max {max:.3} ms\n")
}

fn main() {
    let mut world = World::new(40_000);
    let first = world.told.versions.len() - 3 * SWAPS as usize;
    world.publish(0..first);
    let folder = tempfile::tempdir().unwrap();
    let mut unheard = fixture::open(folder.path()).model(&ModelName::new(MODEL).unwrap());
    for version in &world.told.versions[..first] {
        unheard.publish(std::slice::from_ref(version), &fixture::commit()).unwrap();
    }
    let bridge = Bridge::open(world.registry.clone(), BridgeOptions::default()).unwrap();
    let running = Running::start(bridge.clone(), ServerOptions::default());
    let slot = bridge.slot(MODEL).unwrap();
    let bodies: Vec<_> = world.flights[world.flights.len() - 200..].iter().map(body).collect();
    let (address, bodies) = (running.address, &bodies);
    load(address, bodies, Duration::from_secs(2));
    let time = Duration::from_secs(1) * SWAPS / SWAPS_PER_SECOND;
    for (round, versions) in (1..).zip(world.told.versions[first..].chunks(SWAPS as usize)) {
        let quiet = load(address, bodies, time);
        let under = |model: &mut ModelRegistry, slot: Option<&Slot>| {
            std::thread::scope(|scope| {
                let load = scope.spawn(move || load(address, bodies, time));
                let served = publish(model, versions, slot);
                (load.join().unwrap(), served)
            })
        };
        let (published, _) = under(&mut unheard, None);
        let (swapped, served) = under(&mut world.model, Some(&slot));
        let mut text = format!("round {round}\n");
        text += &line("  nothing published        ", &quiet.micros);
        text += &line("  published to nobody      ", &published.micros);
        text += &line("  published and swapped in ", &swapped.micros);
        text += &line("  publish begun -> served  ", &served[0]);
        text += &line("  publish done -> served   ", &served[1]);
        let p99 = |found: &Found| found.micros.value_at_quantile(0.99) as f64;
        let [over_quiet, over_published] =
            [&quiet, &published].map(|found| p99(&swapped) / p99(found));
        let failures = [quiet.failures, published.failures, swapped.failures];
        writeln!(
            text,
            "  p99 with swaps is {over_published:.2} of that without swaps under the same writes, \
             {over_quiet:.2} of that without writes; failures {failures:?}"
        )
        .unwrap();
        std::io::stdout().write_all(text.as_bytes()).unwrap();
    }
}
