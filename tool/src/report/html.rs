//! A page of HTML: one file that needs nothing else, no network and no script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    content::{Block, Content, Figure, Grid, Picture, Section},
    svg,
};

const STYLE: &str = include_str!("style.css");

pub fn page(content: &Content) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (content.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (content.title) }
                    p.lead { (content.lead) }
                    @if !content.figures.is_empty() { dl.figures { @for one in &content.figures { (figure(one)) } } }
                }
                main { @for one in &content.sections { (section(one)) } }
            }
        }
    };
    markup.into_string()
}

fn figure(figure: &Figure) -> Markup {
    html! {
        div.harm[figure.harm] {
            dt { (figure.name) }
            dd.value { (figure.value) }
            dd.note { (figure.note) }
        }
    }
}

fn section(section: &Section) -> Markup {
    html! {
        section {
            h2 { (section.title) }
            @for one in &section.blocks { (block(one)) }
        }
    }
}

fn block(block: &Block) -> Markup {
    match block {
        Block::Heading(text) => html! { h3 { (text) } },
        Block::Text(text) => html! { p { (text) } },
        Block::List(items) => html! { ul { @for item in items { li { (item) } } } },
        Block::Grid(rows) => grid(rows),
        Block::Picture(one) => picture(one),
        Block::Verbatim(lines) => html! { pre { @for line in lines { (line) "\n" } } },
        Block::ToWrite(hint) => html! { p.hint { (hint) } div.room {} },
    }
}

/// On a narrow screen each cell stands on a line of its own, behind its caption.
fn grid(grid: &Grid) -> Markup {
    html! {
        table {
            thead { tr { @for caption in &grid.captions { th.number[caption.is_number] scope="col" { (caption.name) } } } }
            tbody {
                @for row in &grid.rows {
                    tr {
                        @for (caption, cell) in grid.captions.iter().zip(row) {
                            td.number[caption.is_number] data-head=(caption.name) { (cell) }
                        }
                    }
                }
            }
        }
    }
}

fn picture(picture: &Picture) -> Markup {
    let drawn = svg::draw(picture);
    html! {
        figure {
            figcaption { strong { (picture.title) } " " span.unit { (picture.unit.name()) } }
            div.frame {
                div.y { @for (place, label) in &drawn.y { span style={ "bottom:" (percent(*place)) } { (label) } } }
                (PreEscaped(&drawn.svg))
                div.x {
                    @for (at, label) in &picture.times {
                        span style={ "left:" (percent(picture.place(*at))) } { (label) }
                    }
                }
            }
            ul.legend { @for (class, text) in &drawn.legend { li { i class=(class) {} (text) } } }
            p.source { "Source: " (picture.source) }
        }
    }
}

fn percent(place: f64) -> String {
    format!("{:.1}%", place * 100.0)
}
