//! Writes random documents that a schema allows, in every way that JSON may be written.
//!
//! One half of the documents is as machines write them, in the schema's order and without white space; the other half is
//! in any order, with white space and escapes. Text and lists go to their limits.

use serde_json::Value;

use crate::random::Random;

/// Names of properties that a schema allows and does not know begin so.
pub(crate) const EXTRA: &str = "x-";

/// How deep lists and objects are nested where a schema leaves it open.
const OUTERMOST: usize = 3;

/// A document that the schema `root` allows.
pub(crate) fn document(root: &Value, random: &mut Random) -> String {
    let (loose, density) = (random.one_in(2), random.below(5));
    let mut writer = Writer { root, random, out: String::new(), loose, density };
    writer.spaces();
    writer.value(root);
    writer.spaces();
    writer.out
}

struct Writer<'a> {
    root: &'a Value,
    random: &'a mut Random,
    out: String,
    /// Any order, white space, escapes.
    loose: bool,
    /// How many of four optional properties are there.
    density: usize,
}

impl<'a> Writer<'a> {
    fn value(&mut self, schema: &'a Value) {
        if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/definitions/")) {
            return self.value(&self.root["definitions"][name]);
        }
        if let Some(values) = schema["enum"].as_array() {
            let value = &values[self.random.below(values.len())];
            return self.string(value.as_str().unwrap());
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema),
            Some("array") => self.array(schema),
            Some("string") if schema["format"] == "date-time" => self.date_time(),
            Some("string") => {
                let text = self.text(schema["maxLength"].as_u64());
                self.string(&text);
            }
            Some("integer") => self.integer(schema),
            Some("number") => self.number(schema),
            Some("boolean") => self.boolean(),
            None => self.any(OUTERMOST),
            Some(other) => panic!("a type that the writer does not know: {other}"),
        }
    }

    fn object(&mut self, schema: &'a Value) {
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        let mut properties: Vec<(&str, Option<&Value>)> = Vec::new();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            if required.iter().any(|required| required == name) || self.random.below(4) < self.density {
                properties.push((name, Some(inner)));
            }
        }
        if schema["additionalProperties"] != false && self.random.one_in(2) {
            properties.push((self.random.pick(&["x-", "x-vendor", "x-\"\\\n充🔌"]), None));
        }
        if self.loose {
            self.random.shuffle(&mut properties);
        }
        self.list('{', properties.len(), '}', |writer, index| {
            let (name, inner) = properties[index];
            writer.string(name);
            writer.spaces();
            writer.out.push(':');
            writer.spaces();
            match inner {
                Some(inner) => writer.value(inner),
                None => writer.any(2),
            }
        });
    }

    fn array(&mut self, schema: &'a Value) {
        let min = schema["minItems"].as_u64().unwrap_or(0) as usize;
        let max = schema["maxItems"].as_u64().map_or(usize::MAX, |max| max as usize);
        let count = match self.random.below(8) {
            0 => min,
            1 if max <= 8 => max,
            _ => (min + self.random.below(3)).min(max),
        };
        self.list('[', count, ']', |writer, _| writer.value(&schema["items"]));
    }

    fn list(&mut self, open: char, count: usize, close: char, mut item: impl FnMut(&mut Self, usize)) {
        self.out.push(open);
        self.spaces();
        for index in 0..count {
            if index > 0 {
                self.out.push(',');
                self.spaces();
            }
            item(self, index);
            self.spaces();
        }
        self.out.push(close);
    }

    fn spaces(&mut self) {
        if self.loose {
            self.out.push_str(self.random.pick(&["", "", "", " ", "\n    ", "\t\r\n", "                "]));
        }
    }

    /// Text that is empty, short, or exactly as long as it may be.
    fn text(&mut self, max: Option<u64>) -> String {
        let max = max.map_or(600, |max| max as usize);
        let length = match self.random.below(8) {
            0 => 0,
            1 => max,
            _ => self.random.below(max.min(30) + 1),
        };
        // One, two, three and four bytes a character, and what must or may be escaped.
        const ALPHABETS: [&str; 7] = [
            "abcXYZ019 -_",
            "äßñ",
            "充电桩",
            "🔌⚡🚗",
            "\"\\/{}[],:",
            "\0\u{1}\u{8}\u{c}\n\r\t\u{1f}\u{7f}",
            "e\u{301}\u{2028}\u{feff}\u{ffff}",
        ];
        let alphabet = if self.random.one_in(2) { 0 } else { self.random.below(ALPHABETS.len()) };
        let letters: Vec<char> = ALPHABETS[alphabet].chars().collect();
        (0..length).map(|_| self.random.pick(&letters)).collect()
    }

    fn string(&mut self, text: &str) {
        let escaping = self.loose && self.random.one_in(2);
        self.out.push('"');
        for character in text.chars() {
            let short = match character {
                '"' => Some('"'),
                '\\' => Some('\\'),
                '/' if escaping => Some('/'),
                '\u{8}' => Some('b'),
                '\u{c}' => Some('f'),
                '\n' => Some('n'),
                '\r' => Some('r'),
                '\t' => Some('t'),
                _ => None,
            };
            if (character < ' ' && short.is_none()) || (escaping && self.random.one_in(4)) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let digits = if self.random.one_in(2) { format!("{unit:04x}") } else { format!("{unit:04X}") };
                    self.out.push_str("\\u");
                    self.out.push_str(&digits);
                }
            } else if let Some(short) = short {
                self.out.extend(['\\', short]);
            } else {
                self.out.push(character);
            }
        }
        self.out.push('"');
    }

    fn date_time(&mut self) {
        let mut two = |min, max| format!("{:02}", self.random.within(min, max));
        let (date, time) =
            (format!("{}-{}", two(1, 12), two(1, 28)), format!("{}:{}:{}", two(0, 23), two(0, 59), two(0, 60)));
        // Not year 0 and not the last one, where an offset leads out of what can be kept.
        let year = if self.random.one_in(4) { self.random.within(1, 9998) } else { self.random.within(1970, 2106) };
        let separator = if self.random.one_in(8) { 't' } else { 'T' };
        let fraction = match self.random.below(3) {
            0 => {
                let digits = self.random.next().to_string();
                format!(".{}", &digits[..1 + self.random.below(9)])
            }
            _ => String::new(),
        };
        let zone = match self.random.below(8) {
            0 => {
                let sign = self.random.pick(&['+', '-']);
                format!("{sign}{:02}:{:02}", self.random.below(24), self.random.below(60))
            }
            1 => "z".to_owned(),
            2 => self.random.pick(&["+00:00", "-00:00", "+05:45"]).to_string(),
            _ => "Z".to_owned(),
        };
        self.string(&format!("{year:04}-{date}{separator}{time}{fraction}{zone}"));
    }

    fn integer(&mut self, schema: &Value) {
        let min = schema["minimum"].as_f64().map_or(i64::MIN, |min| min.ceil() as i64);
        let max = schema["maximum"].as_f64().map_or(i64::MAX, |max| max.floor() as i64);
        let value = match self.random.below(8) {
            0 => min,
            1 => max,
            2 => self.random.within(min, max),
            3 => 0,
            4 => self.random.pick(&[i64::from(i32::MAX) + 1, 999_999_999_999_999_999, 1_000_000_000_000_000_000]),
            _ => self.random.within(-20, 100_000),
        };
        let value = value.clamp(min, max);
        if value == 0 && min < 0 && self.random.one_in(4) {
            self.out.push('-');
        }
        self.out.push_str(&value.to_string());
    }

    /// A multiple of the schema's step, within its limits.
    fn number(&mut self, schema: &Value) {
        let step = schema["multipleOf"].as_f64();
        let scale = step.map_or_else(|| self.random.below(7), |step| step.to_string().len() - 2);
        assert!(step.is_none_or(|step| step.to_string() == "0.1"), "only steps of a tenth so far");
        let unit = 10i64.pow(scale as u32);
        let limit = |name: &str, otherwise: i64| schema[name].as_f64().map_or(otherwise, |limit| limit as i64 * unit);
        // More than 15 digits are more than an `f64` keeps.
        let widest = if self.random.one_in(32) { 999_999_999_999_999_999 } else { 999_999_999_999_999 };
        let (min, max) = (limit("minimum", -widest), limit("maximum", widest));
        let value = match self.random.below(8) {
            0 => min,
            1 => max,
            2 => self.random.within(min, max),
            3 => 0,
            _ => self.random.within(-100, 1_000_000).clamp(min, max),
        };
        let sign = if value < 0 || (value == 0 && min < 0 && self.random.one_in(4)) { "-" } else { "" };
        let digits = value.unsigned_abs().to_string();
        let text = match self.random.below(4) {
            0 => format!("{sign}{digits}e-{scale}"),
            1 if value != 0 && digits.len() < 15 => format!("{sign}{digits}0E-{}", scale + 1),
            2 if value % unit == 0 => format!("{sign}{}", value.unsigned_abs() / unit as u64),
            _ if scale == 0 => format!("{sign}{digits}"),
            _ => {
                let digits = format!("{digits:0>width$}", width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                format!("{sign}{whole}.{fraction}")
            }
        };
        self.out.push_str(&text);
    }

    fn boolean(&mut self) {
        self.out.push_str(self.random.pick(&["true", "false"]));
    }

    /// JSON of any kind; on the outermost level no `null`, which is taken for an absent property.
    fn any(&mut self, depth: usize) {
        match self.random.below(if depth == 0 { 4 } else { 6 }) {
            0 => self.out.push_str("null"),
            1 => self.out.push_str(self.random.pick(&["true", "0", "-1", "12.5", "1e3", "9007199254740993"])),
            2 | 3 => {
                let text = self.text(Some(10));
                self.string(&text);
            }
            4 => {
                let count = self.random.below(3);
                self.list('[', count, ']', |writer, _| writer.any(depth - 1));
            }
            _ => {
                let count = self.random.below(3);
                self.list('{', count, '}', |writer, index| {
                    writer.string(["a", "b\u{1}", "充"][index]);
                    writer.spaces();
                    writer.out.push(':');
                    writer.spaces();
                    writer.any(depth - 1);
                });
            }
        }
    }
}
