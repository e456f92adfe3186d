//! What is written of tables and keys. The test that compares the files writes them: only it knows the declarations.

use anyhow::Result;

use crate::workspace::{cargo, run};

pub fn write() -> Result<()> {
    let mut test = cargo("test");
    test.args(["--package", "stillwatch", "--lib", "docs::files_say_what_is_declared"]);
    run(test.env("STILLWATCH_WRITE_DOCS", "1"))?;
    println!("docs/tables.md, stillwatch.schema.json, screen.md and screen.svg are as declared");
    Ok(())
}
