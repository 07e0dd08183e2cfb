//! The inputs that fuzzing has kept, one after the other: `fuzz/` says what is done with them.

use std::{fs, path::Path};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[test]
fn what_fuzzing_has_kept_breaks_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, run) in targets::TARGETS {
        let folder = corpus.join(name);
        let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut inputs = 0;
        for file in files {
            let path = file.expect("a file in a folder").path();
            let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            println!("{}", path.display());
            run(&bytes);
            inputs += 1;
        }
        assert!(inputs > 0, "{} is empty", folder.display());
    }
}
