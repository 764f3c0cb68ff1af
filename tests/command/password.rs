//! `entrepot reset-admin-password`, while the service runs.

use crate::harness::{ADMIN_PASSWORD, Database, Entrepot, on_both_databases};

on_both_databases!(a_new_password_holds_at_once);

const REPOSITORIES: &str = "/pulp/api/v3/repositories/container/container/";
const NEW_PASSWORD: &str = "harbour-master-4410";

async fn a_new_password_holds_at_once(database: Database) {
    let entrepot = Entrepot::start(database);
    // From now on the service remembers that this one is right.
    assert_eq!(entrepot.admin().get(REPOSITORIES).status, 200);
    let told = entrepot.command("reset-admin-password", &[("ENTREPOT_ADMIN_PASSWORD", NEW_PASSWORD)]);
    assert!(!told.contains(NEW_PASSWORD), "{told}");

    let status = |password| entrepot.anonymous().with_basic("admin", password).get(REPOSITORIES).status;
    assert_eq!((status(ADMIN_PASSWORD), status(NEW_PASSWORD)), (401, 200));
    let token = format!("/token/?service={}&scope=registry:catalog:*", entrepot.host());
    assert_eq!(entrepot.admin().get(&token).status, 401);
    assert_eq!(entrepot.anonymous().with_basic("admin", NEW_PASSWORD).get(&token).status, 200);
}
