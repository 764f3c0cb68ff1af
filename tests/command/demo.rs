//! `entrepot demo --once`

use super::entrepot;

#[test]
fn demo_mirrors_verifies_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("ENTREPOT_LISTEN", "127.0.0.1:0")];
    let (ok, stdout, stderr) = entrepot(&folder, "demo --once", &settings);
    assert!(ok, "{stdout}{stderr}");
    for step in ["1. Filled a second, temporary Entrepot", "2. Mirrored it:", "3. Pulled everything back"] {
        assert!(stdout.contains(step), "{stdout}");
    }
    // A second one finds nothing new, and verifies all the same.
    let (ok, stdout, stderr) = entrepot(&folder, "demo --once", &settings);
    assert!(ok && stdout.contains("3. Pulled everything back"), "{stdout}{stderr}");
}
