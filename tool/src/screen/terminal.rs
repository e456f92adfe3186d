//! The threads that own the terminal. One draws and knows the machine, one waits for keys, one for signals, and one writes
//! ([`crate::sinks::Out`]): a terminal that was stopped costs frames and nothing else.
//!
//! However it ends (`q`, Ctrl-C, a signal, a panic), the terminal is as it was before.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Once,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use crossterm::{
    cursor, event, queue,
    style::Print,
    terminal::{self, EnterAlternateScreen, LeaveAlternateScreen},
};
use ratatui::{Terminal, backend::CrosstermBackend, layout::Rect};
use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    Ask, Message,
    state::{Action, Input, Machine},
    view::{self, style::Look},
};
use crate::{
    escape::{escape, escape_bytes},
    for_tests,
    sinks::{Errors, Out, Unread},
};

/// Between two frames of what is measured. Keys are answered at once.
const FRAME: Duration = Duration::from_millis(250);
/// Until a terminal that does not take what is written is looked at again.
const AGAIN: Duration = Duration::from_millis(50);
/// Names and addresses are nobody else's business.
const OWNER: u32 = 0o600;

/// Presses and the wheel, by column and line; unlike what `crossterm` asks for, nothing of a mouse that only moves. What knows neither ignores both.
const MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
const NO_MOUSE: &str = "\x1b[?1006l\x1b[?1000l";

type Drawn = Terminal<CrosstermBackend<Out>>;

pub struct Tty {
    drawn: Drawn,
    unread: Unread,
    look: Look,
    mouse: bool,
}

impl Tty {
    /// From here on it is ours.
    pub fn take(look: Look, mouse: bool) -> io::Result<Self> {
        restore_on_panic();
        let mut out = Out::to(io::stdout())?;
        let unread = out.unread();
        enter(&mut out, mouse)?;
        Ok(Self { drawn: Terminal::new(CrosstermBackend::new(out))?, unread, look, mouse })
    }

    pub fn size() -> io::Result<(u16, u16)> {
        terminal::size()
    }

    /// Until the machine, or somebody from outside, ends it.
    pub fn run(mut self, mut machine: Machine, from: &Receiver<Message>, ask: &UnboundedSender<Ask>) {
        let mut last = Instant::now();
        // When there is something new to draw.
        let mut due = Some(last);
        loop {
            let now = Instant::now();
            let message = match due {
                Some(due) => from.recv_timeout(due.saturating_duration_since(now)),
                None => from.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let now = Instant::now();
            match message {
                Err(RecvTimeoutError::Disconnected) | Ok(Message::Close) => return self.leave(),
                Err(RecvTimeoutError::Timeout) => {
                    if !self.unread.is_idle() {
                        due = Some(now + AGAIN);
                    } else if self.draw(&machine).is_ok() {
                        (last, due) = (now, None);
                    } else {
                        _ = ask.send(Ask::End);
                        return self.leave();
                    }
                }
                Ok(Message::Signal(SIGTSTP)) => self.suspend(),
                // Somebody who stopped us had the terminal since.
                Ok(Message::Signal(SIGCONT)) => {
                    _ = terminal::disable_raw_mode();
                    self.take_again();
                    due = Some(now);
                }
                Ok(Message::Signal(_)) => _ = ask.send(Ask::End),
                Ok(Message::Input(input)) => {
                    let soon = matches!(input, Input::Key(_) | Input::Mouse(_) | Input::Resize(..));
                    let frame = if soon { now } else { last + FRAME };
                    due = Some(due.map_or(frame, |due| due.min(frame)));
                    match machine.on(input) {
                        Action::None => {}
                        Action::Quit => _ = ask.send(Ask::End),
                        Action::Suspend => self.suspend(),
                        Action::Mark(text) => _ = ask.send(Ask::Mark(text)),
                        Action::Write { name, bytes } => {
                            machine.on(Input::Said(write(Path::new(&name), &bytes)));
                        }
                    }
                }
            }
        }
    }

    fn draw(&mut self, machine: &Machine) -> io::Result<()> {
        if machine.shown.is_some() {
            for_tests::panic_at("screen");
        }
        let look = self.look;
        self.drawn.draw(|frame| view::draw(machine, &look, frame.area(), frame.buffer_mut()))?;
        Ok(())
    }

    /// Gives the terminal back, and stops as everything stops by Ctrl-Z; then goes on.
    fn suspend(&mut self) {
        let out = self.drawn.backend_mut();
        if leave(out).is_err() {
            return;
        }
        self.unread.wait();
        _ = terminal::disable_raw_mode();
        Errors::release();
        if let Err(error) = emulate_default_handler(SIGTSTP) {
            tracing::warn!("it cannot be stopped: {error}");
        }
        self.take_again();
    }

    /// All of it is drawn again.
    fn take_again(&mut self) {
        _ = enter(self.drawn.backend_mut(), self.mouse);
        // Unlike `clear`, this does not ask the terminal where the cursor is: the answer would go to who waits for keys.
        if let Ok((width, height)) = terminal::size() {
            _ = self.drawn.resize(Rect::new(0, 0, width, height));
        }
    }

    fn leave(mut self) {
        _ = leave(self.drawn.backend_mut());
        // It waits for what is not written yet.
        drop(self.drawn);
        _ = terminal::disable_raw_mode();
        Errors::release();
    }
}

fn enter(out: &mut impl Write, mouse: bool) -> io::Result<()> {
    terminal::enable_raw_mode()?;
    Errors::hold();
    queue!(out, EnterAlternateScreen, cursor::Hide, Print(if mouse { MOUSE } else { "" }))?;
    out.flush()
}

fn leave(out: &mut impl Write) -> io::Result<()> {
    queue!(out, Print(NO_MOUSE), LeaveAlternateScreen, cursor::Show)?;
    out.flush()
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            _ = leave(&mut io::stdout());
            _ = terminal::disable_raw_mode();
            Errors::release();
            before(panic);
        }));
    });
}

/// Into a new file in the folder where one is; what became of it, in words.
fn write(name: &Path, bytes: &[u8]) -> String {
    let new = |path: &Path| File::options().create_new(true).write(true).mode(OWNER).open(path);
    let (mut path, mut number) = (name.to_owned(), 1);
    let mut file = new(&path);
    // Of the same moment there may be one.
    while file.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
        number += 1;
        let [stem, kind] = [name.file_stem(), name.extension()].map(|part| part.unwrap_or_default().to_string_lossy());
        path = name.with_file_name(format!("{stem}-{number}.{kind}"));
        file = new(&path);
    }
    let written = file.and_then(|mut file| {
        file.write_all(bytes)?;
        std::path::absolute(&path)
    });
    match written {
        Ok(path) => format!("written: {}", escape_bytes(path.as_os_str().as_encoded_bytes())),
        Err(error) => format!("not written: {}: {}", path.display(), escape(&error.to_string())),
    }
}

/// Keys, clicks and sizes, as long as somebody wants them.
pub fn wait_for_keys(to: SyncSender<Message>) -> io::Result<()> {
    thread::Builder::new().name("keys".into()).spawn(move || {
        loop {
            let message = match event::read() {
                Ok(event::Event::Key(key)) if key.is_press() => Message::Input(Input::Key(key)),
                Ok(event::Event::Mouse(event)) => Message::Input(Input::Mouse(event)),
                Ok(event::Event::Resize(width, height)) => Message::Input(Input::Resize(width, height)),
                Ok(_) => continue,
                Err(_) => Message::Signal(SIGHUP),
            };
            let over = matches!(message, Message::Signal(_));
            if to.send(message).is_err() || over {
                return;
            }
        }
    })?;
    Ok(())
}

/// Those that ask for the terminal back, or for the end.
pub fn wait_for_signals(to: SyncSender<Message>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTSTP, SIGCONT, SIGTERM, SIGINT, SIGHUP, SIGQUIT])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if to.send(Message::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
