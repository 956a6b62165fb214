//! Measures a server under steady load, with and without swaps: latency, failures, and the time
//! from publishing to serving.
//!
//! `cargo run --release -p trueup-serving-bridge --example load`
//!
//! The load is open-loop: each request has an intended start, and its time counts from there, so
//! that a stall is paid by every request it delays and not by one alone.

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
use trueup_serving_bridge::{Bridge, BridgeOptions, ServerOptions};

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

/// Publishes a version at each of many points in time; gives how long each took to be served, from
/// the begin of publishing and from its end.
fn swap(world: &mut World, bridge: &Bridge, next: &mut usize) -> [Histogram<u64>; 2] {
    let mut micros = [(); 2].map(|()| Histogram::new(3).unwrap());
    let mut at = Instant::now();
    for _ in 0..SWAPS {
        at += Duration::from_secs(1) / SWAPS_PER_SECOND;
        wait_until(at);
        let mut version_next = world.told.versions[*next].clone();
        version_next.promote = true;
        let began = Instant::now();
        let number = world.publish_one(version_next);
        let written = Instant::now();
        *next += 1;
        let slot = bridge.slot(MODEL).unwrap();
        while version(&slot) != Some(number) {
            std::thread::sleep(Duration::from_micros(200));
        }
        micros[0].record(began.elapsed().as_micros() as u64).unwrap();
        micros[1].record(written.elapsed().as_micros() as u64).unwrap();
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
    let first = world.told.versions.len() - 3 * SWAPS as usize - 1;
    world.publish(0..first);
    let bridge = Bridge::open(world.registry.clone(), BridgeOptions::default()).unwrap();
    let running = Running::start(bridge.clone(), ServerOptions::default());
    let bodies: Vec<_> = world.flights[world.flights.len() - 200..].iter().map(body).collect();
    let time = Duration::from_secs(1) * SWAPS / SWAPS_PER_SECOND;
    let mut next = first;
    load(running.address, &bodies, Duration::from_secs(2));
    for round in 1..=3 {
        let quiet = load(running.address, &bodies, time);
        let (swapped, served) = std::thread::scope(|scope| {
            let (address, bodies) = (running.address, &bodies);
            let load = scope.spawn(move || load(address, bodies, time));
            let served = swap(&mut world, &bridge, &mut next);
            (load.join().unwrap(), served)
        });
        let p99 = |found: &Found| found.micros.value_at_quantile(0.99) as f64;
        let mut text = format!("round {round}\n");
        text += &line("  without swaps", &quiet.micros);
        text += &line("  with swaps   ", &swapped.micros);
        text += &line("  publish begun -> served", &served[0]);
        text += &line("  publish done  -> served", &served[1]);
        let (ratio, failures) = (p99(&swapped) / p99(&quiet), [quiet.failures, swapped.failures]);
        writeln!(text, "  p99 with over without {ratio:.2}, failures {failures:?}").unwrap();
        std::io::stdout().write_all(text.as_bytes()).unwrap();
    }
}
