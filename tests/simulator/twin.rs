//! The same journal once more, into an empty store, in one go: without a crash, a snapshot or a fault on the way.
//!
//! Knows nothing of how lines are counted, so it covers every table there is, also those that the reference does not
//! know.

use castmeter::units::JournalPosition;

use crate::database::Tables;
use crate::process::{Attempted, Process, Setup};
use crate::reference::difference;
use crate::world::{Checked, World};

impl World {
    /// Between two lives of the service; nothing may have been dropped from the journal.
    pub async fn check_twin(&mut self) -> Checked {
        let file = self.folder().join("twin.sqlite");
        let states = self.folder().join("twin-state");
        let setup = Setup { states, ..self.setup(self.open_store(&file)) };
        let (mut process, first, _) = Process::open(setup).map_err(|error| format!("twin: {error}"))?;
        if first != JournalPosition::START {
            return Err(format!("records before {first} were dropped though there is room"));
        }
        process.claim(None).await.map_err(|error| format!("twin: {error}"))?;
        if let Some(pipeline) = &mut process.pipeline {
            while pipeline.counting.count_next() {}
            pipeline.counting.publish_reach();
            pipeline.counting.publish();
            match pipeline.committer.attempt(&self.commits, None, true).await {
                Attempted::Done => {}
                other => return Err(format!("twin: {other:?}")),
            }
        }
        process.journal.close().await;
        process.store.close().await;
        let (mut disturbed, mut twin) = (Tables::open(&self.database()).await, Tables::open(&file).await);
        let (found, expected) = (disturbed.dump().await, twin.dump().await);
        self.figures.count_rows(&disturbed.counted().await, &found);
        disturbed.close().await;
        twin.close().await;
        match difference(&found, &expected) {
            Some(difference) => Err(format!("not what one count of the journal gives: {difference}")),
            None => {
                self.figures.comparisons += 1;
                Ok(())
            }
        }
    }
}
