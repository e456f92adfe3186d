//! What a tracepoint hands over, spelled as C would.

use btf_rs::{BtfType, Type};

use super::{BtfError, DEPTH, KernelBtf};

impl KernelBtf {
    /// Types of a tracepoint's arguments as a BTF program receives them, such as `struct task_struct *`.
    pub fn tracepoint(&self, name: &str) -> Result<Vec<String>, BtfError> {
        // The kernel declares each tracepoint as `typedef void (*btf_trace_NAME)(void *context, arguments…)`.
        for id in self.ids(&format!("btf_trace_{name}"))? {
            let Type::Typedef(typedef) = self.type_of(name, id)? else {
                continue;
            };
            let Type::Ptr(pointer) = self.target(name, &typedef)? else {
                continue;
            };
            let Type::FuncProto(function) = self.target(name, &pointer)? else {
                continue;
            };
            let arguments = function.parameters.iter().skip(1);
            return arguments.map(|argument| self.spell(name, argument.get_type_id().unwrap_or(0), 0)).collect();
        }
        Err(BtfError::NoTracepoint(name.into()))
    }

    /// The type as C would spell it in a declaration.
    fn spell(&self, at: &str, id: u32, depth: usize) -> Result<String, BtfError> {
        let found = self.type_of(at, id)?;
        let inner = |of: &dyn BtfType| match depth {
            DEPTH.. => Ok("…".into()),
            _ => self.spell(at, of.get_type_id().unwrap_or(0), depth + 1),
        };
        Ok(match &found {
            Type::Void => "void".into(),
            Type::Int(int) if int.is_bool() => "bool".into(),
            Type::Ptr(pointer) => match inner(pointer)? {
                target if target.ends_with('*') => target + "*",
                target => target + " *",
            },
            Type::Const(of) => format!("const {}", inner(of)?),
            Type::Volatile(of) => format!("volatile {}", inner(of)?),
            Type::Restrict(of) => inner(of)?,
            Type::TypeTag(of) => inner(of)?,
            Type::Array(of) => format!("{}[{}]", inner(of)?, of.len()),
            Type::FuncProto(_) => "function".into(),
            Type::Struct(of) => format!("struct {}", self.name(at, of)?),
            Type::Union(of) => format!("union {}", self.name(at, of)?),
            Type::Fwd(of) if of.is_union() => format!("union {}", self.name(at, of)?),
            Type::Fwd(of) => format!("struct {}", self.name(at, of)?),
            Type::Enum(of) => format!("enum {}", self.name(at, of)?),
            Type::Enum64(of) => format!("enum {}", self.name(at, of)?),
            Type::Int(of) => short(self.name(at, of)?),
            Type::Float(of) => self.name(at, of)?,
            Type::Typedef(of) => self.name(at, of)?,
            other => other.name().into(),
        })
    }
}

/// Compilers name the same integer differently (`long unsigned int`, `unsigned long`): the shortest form of each.
fn short(name: String) -> String {
    let (mut unsigned, mut words) = (false, Vec::new());
    for word in name.split(' ') {
        match word {
            "unsigned" => unsigned = true,
            "signed" if name != "signed char" => {}
            word => words.push(word),
        }
    }
    if words.len() > 1 {
        words.retain(|&word| word != "int");
    }
    if words.is_empty() {
        words.push("int");
    }
    if unsigned { format!("unsigned {}", words.join(" ")) } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    #[test]
    fn integers_have_one_spelling() {
        for (given, expected) in [
            ("int", "int"),
            ("unsigned int", "unsigned int"),
            ("unsigned", "unsigned int"),
            ("long int", "long"),
            ("long unsigned int", "unsigned long"),
            ("unsigned long", "unsigned long"),
            ("long long unsigned int", "unsigned long long"),
            ("short unsigned int", "unsigned short"),
            ("char", "char"),
            ("signed char", "signed char"),
            ("unsigned char", "unsigned char"),
            ("__int128 unsigned", "unsigned __int128"),
        ] {
            assert_eq!(super::short(given.into()), expected);
        }
    }
}
