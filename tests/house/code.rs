//! Source text without what is compiled for tests only, and which rooms it names.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, ImplItem, Item, Meta, spanned::Spanned, visit::Visit};

/// Blanks items behind `#[cfg(test)]`, and nothing else, so that line numbers stay.
pub fn without_tests(text: &str) -> syn::Result<String> {
    let mut tests = Tests::default();
    tests.visit_file(&syn::parse_file(text)?);
    let is_test = |line: usize| tests.lines.iter().any(|&(from, to)| (from..=to).contains(&line));
    let lines = text.lines().enumerate().map(|(at, line)| if is_test(at + 1) { "" } else { line });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// First and last lines of items.
#[derive(Default)]
struct Tests {
    lines: Vec<(usize, usize)>,
}

impl Tests {
    fn note(&mut self, attributes: &[Attribute], item: &impl Spanned) -> bool {
        let is_test = |attribute: &Attribute| matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string() == "test");
        let found = attributes.iter().any(is_test);
        if found {
            let span = item.span();
            self.lines.push((span.start().line, span.end().line));
        }
        found
    }
}

impl<'a> Visit<'a> for Tests {
    fn visit_item(&mut self, item: &'a Item) {
        let attributes: &[Attribute] = match item {
            Item::Const(it) => &it.attrs,
            Item::Enum(it) => &it.attrs,
            Item::Fn(it) => &it.attrs,
            Item::Impl(it) => &it.attrs,
            Item::Macro(it) => &it.attrs,
            Item::Mod(it) => &it.attrs,
            Item::Static(it) => &it.attrs,
            Item::Struct(it) => &it.attrs,
            Item::Trait(it) => &it.attrs,
            Item::Type(it) => &it.attrs,
            Item::Use(it) => &it.attrs,
            _ => &[],
        };
        if !self.note(attributes, item) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Fn(it) => &it.attrs,
            ImplItem::Const(it) => &it.attrs,
            _ => &[],
        };
        if !self.note(attributes, item) {
            syn::visit::visit_impl_item(self, item);
        }
    }
}

/// What stands behind `crate::`, within macros, too: `crate::{a::B, c}` names `a` and `c`.
pub fn rooms(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Ok(tokens) = text.parse() {
        collect(tokens, &mut found);
    }
    found
}

fn collect(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.to_string() == word);
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            collect(group.stream(), found);
        }
        if !(is(at, "crate") && is(at + 1, ":") && is(at + 2, ":")) {
            continue;
        }
        match tokens.get(at + 3) {
            Some(TokenTree::Group(group)) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let first = |parts: &[TokenTree]| parts.first().map(TokenTree::to_string);
                found.extend(inner.split(|token| token.to_string() == ",").filter_map(first));
            }
            Some(room) => {
                found.insert(room.to_string());
            }
            None => {}
        }
    }
}

/// Names of the structs, enums and traits that it makes, within macros, too.
pub fn types(text: &str) -> Vec<String> {
    fn collect(tokens: TokenStream, found: &mut Vec<String>) {
        let mut makes = false;
        for token in tokens {
            match token {
                TokenTree::Group(group) => collect(group.stream(), found),
                TokenTree::Ident(name) if makes => found.push(name.to_string()),
                TokenTree::Ident(word) => {
                    makes = ["struct", "enum", "trait"].contains(&word.to_string().as_str());
                    continue;
                }
                _ => {}
            }
            makes = false;
        }
    }
    let mut found = Vec::new();
    if let Ok(tokens) = text.parse() {
        collect(tokens, &mut found);
    }
    found
}

#[test]
fn types_are_found_wherever_they_stand() {
    let text = "struct A; macro! { pub enum B in \"b\" { c: D } } struct $E { } fn f() { trait G {} }";
    assert_eq!(types(text).concat(), "ABG");
}

#[test]
fn rooms_are_found_wherever_they_stand() {
    let text = "use crate::{a::{B, b::C}, d}; macro!(crate::e::f); fn g() { crate::h::i(); crate_::j() }";
    assert_eq!(rooms(text).into_iter().collect::<String>(), "adeh");
}

#[test]
fn only_what_is_for_tests_is_left_out() {
    let text = "\
fn a() {}
#[cfg(test)]
mod fixture;
#[cfg(target_os = \"linux\")]
fn b() {}
impl C {
    #[cfg(test)]
    fn d() {
        if true {}
    }
    fn g() {}
}
#[cfg(test)]
mod tests {
    use h::i;
}
fn j() {}";
    let kept = without_tests(text).expect("Rust");
    let wanted = "fna(){}#[cfg(target_os=\"linux\")]fnb(){}implC{fng(){}}fnj(){}";
    assert_eq!(kept.split_whitespace().collect::<String>(), wanted);
    assert_eq!(kept.lines().count(), text.lines().count());
}
