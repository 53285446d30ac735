//! Where clients are: countries with their networks and points of presence, and when people there listen.
//!
//! `data/countries.txt` holds the facts. The daily curve is a rough average of podcast traffic by local
//! hour: a quiet night, a peak on the way to work and another on the way home.

use super::rng::scale;
use super::weighted::Weighted;

const LIST: &str = include_str!("data/countries.txt");

/// Requests by local hour of the day, the busiest hour being 100.
const DAILY_CURVE: [u64; 24] =
    [24, 16, 12, 10, 14, 32, 58, 90, 100, 88, 80, 76, 80, 76, 74, 78, 90, 96, 86, 72, 62, 54, 44, 34];

/// One country and what is there.
#[derive(Debug)]
pub struct Country {
    pub code: &'static str,
    pub name: &'static str,
    pub continent: &'static str,
    pub city: &'static str,
    pub latitude: &'static str,
    pub longitude: &'static str,
    utc_offset_minutes: i64,
    /// Listeners, of about 10,000.
    share: u64,
    pub regions: Vec<&'static str>,
    pub pops: Vec<&'static str>,
    pub networks: Vec<u32>,
}

impl Country {
    fn parse(line: &'static str) -> Self {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [code, name, continent, city, latitude, longitude, offset, share, regions, pops, networks] =
            columns[..]
        else {
            panic!("countries.txt: eleven columns, not {}: {line}", columns.len());
        };
        Self {
            code,
            name,
            continent,
            city,
            latitude,
            longitude,
            utc_offset_minutes: offset.parse().expect("minutes"),
            share: share.parse().expect("a share"),
            regions: regions.split_whitespace().collect(),
            pops: pops.split_whitespace().collect(),
            networks: networks.split_whitespace().map(|number| number.parse().expect("a number")).collect(),
        }
    }

    /// How busy listeners here are in the given hour of the UTC day.
    fn load(&self, utc_hour: usize) -> u64 {
        let local = (utc_hour as i64 * 60 + self.utc_offset_minutes).rem_euclid(24 * 60) / 60;
        self.share * DAILY_CURVE[local as usize]
    }
}

/// An index into [`Places`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u8);

/// All countries, their odds by hour, and which listeners live in each.
pub struct Places {
    countries: Vec<Country>,
    by_hour: Vec<Weighted>,
    /// The first listener of each country, and after the last country the number of listeners.
    first_listener: Vec<u64>,
}

impl Places {
    pub fn new(listeners: u32) -> Self {
        let countries: Vec<Country> =
            LIST.lines().filter(|line| !line.starts_with('#')).map(Country::parse).collect();
        let by_hour = (0..24)
            .map(|hour| Weighted::new(&countries.iter().map(|place| place.load(hour)).collect::<Vec<_>>()))
            .collect();
        let all: u64 = countries.iter().map(|place| place.share).sum();
        let mut before = 0;
        let mut first_listener = vec![0];
        for place in &countries {
            before += place.share;
            first_listener.push(u64::from(listeners) * before / all);
        }
        Self { countries, by_hour, first_listener }
    }

    pub fn get(&self, place: Place) -> &Country {
        &self.countries[usize::from(place.0)]
    }

    /// Where somebody listens at this hour of the UTC day.
    pub fn pick(&self, utc_hour: u32, random: u64) -> Place {
        Place(self.by_hour[utc_hour as usize].pick(random) as u8)
    }

    /// One of the listeners of a country; a few of them listen a lot. With fewer listeners than countries,
    /// a country without any of its own shares the next one's first.
    pub fn pick_listener(&self, place: Place, random: u64) -> u64 {
        let first = self.first_listener[usize::from(place.0)];
        let count = self.first_listener[usize::from(place.0) + 1] - first;
        // Squaring a number in 0..1 makes small ones likelier.
        let half = random >> 32;
        first + scale(half * half, count)
    }

    /// Of all requests, how many fall into this hour of the UTC day: a weight.
    pub fn load(&self, utc_hour: u32) -> u64 {
        self.countries.iter().map(|place| place.load(utc_hour as usize)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::rng::Rng;

    #[test]
    fn every_country_is_complete_and_has_its_listeners() {
        let places = Places::new(300_000);
        assert!(places.countries.len() >= 30);
        for (country, first) in places.countries.iter().zip(&places.first_listener) {
            assert_eq!(country.code.len(), 2);
            let complete =
                !country.regions.is_empty() && !country.pops.is_empty() && !country.networks.is_empty();
            assert!(complete && country.share > 0, "{country:?}");
            assert!(*first < 300_000);
        }
        assert_eq!(places.first_listener.last(), Some(&300_000));
    }

    #[test]
    fn night_is_quiet_where_it_is_night() {
        let places = Places::new(1_000);
        let of = |code, hour| places.countries.iter().find(|c| c.code == code).unwrap().load(hour);
        assert!(of("DE", 7) > 5 * of("DE", 2));
        assert!(of("US", 14) > 5 * of("US", 8));
    }

    #[test]
    fn listeners_are_of_their_country_even_when_there_are_few() {
        for listeners in [1, 5, 1_000] {
            let places = Places::new(listeners);
            let mut rng = Rng::new(3);
            for _ in 0..1_000 {
                let place = places.pick(rng.below(24) as u32, rng.next());
                let listener = places.pick_listener(place, rng.next());
                assert!(listener <= places.first_listener[usize::from(place.0) + 1]);
            }
        }
    }
}
