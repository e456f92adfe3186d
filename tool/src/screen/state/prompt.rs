//! What is typed in the last line.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{Action, Machine, filter::Matcher};

#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    what: Typed,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Typed {
    Filter,
    Jump,
    Mark,
}

/// More is no filter, and no note.
const LONGEST: usize = 200;

impl Prompt {
    pub fn filter(text: &str) -> Self {
        Self { what: Typed::Filter, text: text.to_owned() }
    }

    pub fn jump() -> Self {
        Self { what: Typed::Jump, text: String::new() }
    }

    pub fn mark() -> Self {
        Self { what: Typed::Mark, text: String::new() }
    }

    pub fn label(&self) -> &'static str {
        match self.what {
            Typed::Filter => "only rows with: ",
            Typed::Jump => "to (14:02:30 or -90s): ",
            Typed::Mark => "note: ",
        }
    }
}

impl Machine {
    pub(super) fn typed(&mut self, mut prompt: Prompt, key: &KeyEvent) -> Action {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Action::Quit,
            KeyCode::Char('z') if control => {
                self.prompt = Some(prompt);
                return Action::Suspend;
            }
            KeyCode::Char('u') if control => prompt.text.clear(),
            KeyCode::Esc => return Action::None,
            KeyCode::Enter => return self.entered(prompt),
            KeyCode::Backspace => _ = prompt.text.pop(),
            KeyCode::Char(char) if !control && !char.is_control() && prompt.text.len() < LONGEST => {
                prompt.text.push(char);
            }
            _ => {}
        }
        // A filter shows at once what it does.
        if prompt.what == Typed::Filter
            && let Ok(filter) = Matcher::of(&prompt.text)
        {
            self.settings.filter = filter;
        }
        self.prompt = Some(prompt);
        Action::None
    }

    fn entered(&mut self, prompt: Prompt) -> Action {
        match prompt.what {
            Typed::Filter => match Matcher::of(&prompt.text) {
                Ok(filter) => self.settings.filter = filter,
                Err(why) => self.says = Some(why),
            },
            Typed::Jump => self.jump(&prompt.text),
            Typed::Mark if prompt.text.trim().is_empty() => self.says = Some("nothing is noted".to_owned()),
            Typed::Mark => return Action::Mark(prompt.text),
        }
        Action::None
    }
}
