//! Reports that are too long, and audits that fail.

use super::*;

#[tokio::test]
async fn differences_above_the_limit_are_counted_and_not_listed() {
    let world = World::new(1);
    let ballots = (1..=50).map(|number| gives(number, "alice", 1)).collect();
    world.append(P0, ballots).await;
    let mut ports = world.ports();
    ports.store = Arc::new(filled(&[(P0, 1, &[])]).await);
    let settings = AuditSettings {
        max_findings: 10,
        ..AuditSettings::default()
    };
    let report = audit_with(&world, ports, settings).await.expect("answers");
    assert_eq!((report.findings.len(), report.unlisted), (10, 40));
    assert!(!report.is_clean());
}

#[tokio::test]
async fn a_port_that_cannot_be_read_is_an_error_and_no_clean_report() {
    for operation in [
        Operation::Lag,
        Operation::Subscribe,
        Operation::Next,
        Operation::Recount,
        Operation::StoredBallots,
        Operation::AppliedTotals,
        Operation::Read,
        Operation::Progress,
    ] {
        let world = folded().await;
        for fault in [Fault::Refused, Fault::LostNoReply] {
            let plan = FaultPlan::quiet(world.clock.clone());
            plan.next(operation, fault);
            let ports = world.ports().intercepted(&plan);
            let settings = AuditSettings {
                recount_deadline: Duration::from_secs(30),
                ..AuditSettings::default()
            };
            let report = audit_with(&world, ports, settings).await;
            assert!(report.is_err(), "{operation:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_restored_during_the_audit_must_be_audited_again() {
    let world = logged().await;
    let backup = world.store.snapshot();
    world.drain().await;
    let mut ports = world.ports();
    let store = RestoredAfterRecount {
        inner: Arc::clone(&world.store),
        backup,
    };
    ports.store = Arc::new(store);
    let report = audit_with(&world, ports, AuditSettings::default()).await;
    assert_eq!(
        report.map_err(|error| error.kind()),
        Err(PortErrorKind::Unavailable)
    );
}

/// A store that is restored from a backup right after its recount.
struct RestoredAfterRecount {
    inner: Arc<MemoryStore>,
    backup: cast_adapters::memory::StoreSnapshot,
}

#[async_trait]
impl ForwardingVoteStore for RestoredAfterRecount {
    fn inner(&self) -> &dyn VoteStore {
        &*self.inner
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let recount = self.inner.recount().await?;
        self.inner.restore(self.backup.clone());
        Ok(recount)
    }
}
