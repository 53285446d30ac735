//! Tests of admission: who is let in, who gives way, what is given back.

use super::*;

const BOUNDS: Bounds = Bounds {
    connections: 3,
    connections_per_address: 2,
    in_flight_bytes: 100,
    in_flight_bytes_per_address: 70,
};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn admit(admission: &Arc<Admission>, from: &str) -> Result<Admitted, Incident> {
    admission.admit(address(from))
}

fn proved(admission: &Arc<Admission>, from: &str) -> Admitted {
    let place = admit(admission, from).ok().unwrap();
    place.has_delivered();
    place
}

fn is_displaced(place: &Admitted) -> bool {
    place.seat.is_displaced.load(Ordering::Relaxed)
}

#[test]
fn connections_that_proved_themselves_are_bounded_in_all_and_per_address() {
    let admission = Admission::new(BOUNDS);
    let first = proved(&admission, "192.0.2.1");
    let mapped = proved(&admission, "::ffff:192.0.2.1");
    assert_eq!(admit(&admission, "192.0.2.1").err(), Some(Incident::AddressFull));
    let other = proved(&admission, "2001:db8::1");
    assert_eq!(admit(&admission, "192.0.2.3").err(), Some(Incident::ConnectionsFull));
    drop((first, mapped));
    let neighbour = proved(&admission, "2001:db8::ffff:1");
    assert_eq!(admit(&admission, "2001:db8::2").err(), Some(Incident::AddressFull));
    drop((other, neighbour));
    let table = admission.lock();
    assert!(table.by_address.is_empty() && table.newcomers.is_empty(), "nothing is remembered for nothing");
    assert_eq!(table.connections, 0);
}

#[test]
fn the_oldest_newcomer_gives_way() {
    let admission = Admission::new(BOUNDS);
    let known = proved(&admission, "192.0.2.1");
    let one = admit(&admission, "192.0.2.1").ok().unwrap();
    let two = admit(&admission, "192.0.2.2").ok().unwrap();
    let three = admit(&admission, "192.0.2.1").ok().unwrap();
    assert!(is_displaced(&one) && !is_displaced(&two), "of its own address, which was full");
    let four = admit(&admission, "192.0.2.3").ok().unwrap();
    assert!(is_displaced(&two) && !is_displaced(&three) && !is_displaced(&known), "the oldest of all");
    drop((one, two));
    assert_eq!(admission.lock().connections, 3, "a displaced one was given back already");
    four.has_delivered();
    let five = admit(&admission, "192.0.2.4").ok().unwrap();
    assert!(is_displaced(&three) && !is_displaced(&four));
    five.has_token();
    five.has_delivered();
    three.has_delivered();
    assert_eq!(admit(&admission, "192.0.2.5").err(), Some(Incident::ConnectionsFull));
    drop((known, three, four, five));
    let table = admission.lock();
    assert!(table.by_address.is_empty() && table.newcomers.is_empty() && table.connections == 0);
}

#[test]
fn who_has_a_token_gives_way_last() {
    let admission = Admission::new(Bounds { connections_per_address: 3, ..BOUNDS });
    let [one, two, three] = [(); 3].map(|()| admit(&admission, "192.0.2.1").ok().unwrap());
    one.has_token();
    three.has_delivered();
    let four = admit(&admission, "192.0.2.1").ok().unwrap();
    assert!(is_displaced(&two) && !is_displaced(&one));
    four.has_token();
    let _five = admit(&admission, "192.0.2.1").ok().unwrap();
    assert!(is_displaced(&one) && !is_displaced(&four) && !is_displaced(&three));
    drop((one, two, three, four));
    assert_eq!(admission.lock().connections, 1);
}

#[tokio::test]
async fn a_displaced_connection_hears_of_it() {
    let admission = Admission::new(Bounds { connections: 1, ..BOUNDS });
    let one = admit(&admission, "192.0.2.1").ok().unwrap();
    let displaced = one.displaced();
    let _two = admit(&admission, "192.0.2.2").ok().unwrap();
    displaced.await;
}

#[test]
fn bytes_are_bounded_in_all_and_per_address_and_are_given_back() {
    let admission = Admission::new(BOUNDS);
    let one = admission.admit(address("192.0.2.1")).ok().unwrap();
    let two = admission.admit(address("192.0.2.2")).ok().unwrap();
    let mut of_one = one.account().charge();
    assert_eq!(of_one.grow(70), Ok(()));
    assert_eq!(one.account().charge().grow(1), Err(Incident::AddressInFlightFull));
    let mut of_two = two.account().charge();
    assert_eq!(of_two.grow(31), Err(Incident::InFlightFull));
    assert_eq!(of_two.grow(30), Ok(()), "a refused growth takes nothing");
    assert_eq!(admission.in_flight(), 100);
    drop(of_one);
    assert_eq!(admission.in_flight(), 30);
    assert_eq!(of_two.grow(u64::MAX), Err(Incident::AddressInFlightFull), "no wrap");
}

#[test]
fn covered_bytes_are_in_flight_until_their_last_handle_is_gone() {
    let admission = Admission::new(BOUNDS);
    let place = admission.admit(address("192.0.2.1")).ok().unwrap();
    let mut charge = place.account().charge();
    charge.grow(10).unwrap();
    drop(place);
    let bytes = charge.cover(vec![7_u8; 10]);
    let part = bytes.slice(3..5);
    drop(bytes);
    assert_eq!((admission.in_flight(), &part[..]), (10, &[7, 7][..]));
    let again = admission.admit(address("192.0.2.1")).ok().unwrap();
    assert_eq!(
        again.account().charge().grow(61),
        Err(Incident::AddressInFlightFull),
        "though the connection is another"
    );
    drop(again);
    drop(part);
    assert_eq!(admission.in_flight(), 0);
    assert!(admission.lock().by_address.is_empty(), "nothing is remembered for nothing");
}
