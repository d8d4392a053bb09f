//! PyPI's `ocpp`, in a process of its own that takes its turns like the other contenders.
//!
//! `python_ocpp.py` says what is measured and how it is asked.

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use serde_json::{Value, json};

use super::Contenders;
use super::checked::Document;
use crate::comparison::Contender;

/// Ends when its standard input is closed, which dropping does.
struct Process {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// `python` is a Python that has the package.
pub(super) fn contenders(python: &Path, action: &str, document: &Document) -> Result<Contenders, Box<dyn Error>> {
    let mut process = Process::start(python)?;
    let frame = process.ask(&format!(r#"[2,"1","{action}",{}]"#, document.text))?;
    let payload = serde_json::from_str::<Value>(&frame)?.get(3).ok_or("Python's CALL has no payload")?.to_string();
    document.check("Python", payload)?;
    let process = Rc::new(RefCell::new(process));
    let both = |work: &str| {
        [("validated", true), ("not validated", false)].map(|(how, validate)| {
            let process = Rc::clone(&process);
            let work = work.to_owned();
            Contender::elsewhere(format!("Python ocpp, {how}"), move |times| {
                let question = json!({ "work": work, "validate": validate, "times": times });
                let answer = process.borrow_mut().ask(&question.to_string())?;
                answer.trim().parse().map_err(io::Error::other)
            })
        })
    };
    Ok(Contenders { decoding: both("decode").into(), encoding: both("encode").into() })
}

impl Process {
    fn start(python: &Path) -> io::Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python_ocpp.py");
        let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().map(BufReader::new).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, questions, answers })
    }

    /// One line each.
    fn ask(&mut self, question: &str) -> io::Result<String> {
        if let Some(questions) = &mut self.questions {
            writeln!(questions, "{question}")?;
        }
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "python_ocpp.py has ended; it says why above"));
        }
        Ok(answer)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.questions = None;
        // It has nothing left to say.
        let _ = self.child.wait();
    }
}
