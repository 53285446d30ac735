//! What the traffic draws from: places, agents, shows and clients. Only the episodes' odds change with time.

use super::Options;
use super::agents::Agents;
use super::client::Clients;
use super::library::Library;
use super::places::Places;

pub struct World {
    pub places: Places,
    pub agents: Agents,
    pub library: Library,
    pub clients: Clients,
}

impl World {
    pub fn new(options: &Options) -> Self {
        let library = Library::new(options);
        Self {
            places: Places::new(options.listeners.max(1)),
            agents: Agents::new(library.shows.len() as u32),
            clients: Clients::new(options.seed),
            library,
        }
    }
}
