//! An orderly end.

use crate::client::Running;
use crate::fixture::World;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use trueup_serving_bridge::ServerOptions;

#[test]
fn a_request_under_way_is_finished_and_then_nobody_listens() {
    let mut world = World::new(1_500);
    world.publish(0..world.told.versions.len());
    let running = Running::start(world.bridge(), ServerOptions::default());
    let address = running.address;
    let mut idle = running.client();
    assert_eq!(idle.get("/healthz").status, 200);
    let body = world.flights.last().unwrap().json().to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "POST /v1/models/flight_eta:correct HTTP/1.1\r\nhost: test\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{}", body.len(), &body[..10]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let ending = std::thread::spawn(move || drop(running));
    while TcpStream::connect(address).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!ending.is_finished(), "it waits for the request");
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK") && reply.contains("corrected"), "{reply}");
    ending.join().unwrap();
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let world = World::new(10);
    let options =
        ServerOptions { read_timeout: Duration::from_millis(50), ..ServerOptions::default() };
    let running = Running::start(world.bridge(), options);
    let mut stream = TcpStream::connect(running.address).unwrap();
    let head = "POST /v1/models/flight_eta:correct HTTP/1.1\r\nhost: test\r\n";
    write!(stream, "{head}content-length: 10\r\n\r\n{{").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
}
