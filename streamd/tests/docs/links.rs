//! Every link leads somewhere.

use std::fs;

use crate::{pages, root};

/// What GitHub makes of a heading, to link to it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where the links of a page lead, but for those that leave the repository.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let links = page.split("](").skip(1);
    let targets = links.filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://"))
}

#[test]
fn every_link_leads_somewhere() {
    let mut files = pages(&root().join("docs"));
    files.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut checked = 0;
    for file in files {
        let page = fs::read_to_string(&file).unwrap();
        for link in links(&page) {
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            let here = format!("{}: {link}", file.display());
            assert!(target.exists(), "{here}");
            if !part.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let there = headings.map(anchor).any(|anchor| anchor == part);
                assert!(there, "{here}");
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}
