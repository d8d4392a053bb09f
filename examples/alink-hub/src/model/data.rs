//! Values of a thing model: what they may be, judged with a JSON pointer to what is wrong.

use serde_json::{Map, Number, Value};

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// A whole number of 32 bits.
    Int(Range),
    /// A number that is written with a fraction.
    Float(Range),
    /// At most so many characters.
    Text { max: Option<usize> },
    /// Milliseconds since 1970 (UTC), as a string.
    Date,
    /// 0 or 1.
    Bool,
    /// One of these.
    Enum(Vec<i64>),
    /// An object of these members.
    Struct(Vec<Member>),
    /// At most so many of that.
    Array { item: Box<Data>, max: Option<usize> },
    /// The model does not say, as simplified ones do.
    Any,
}

/// Limits of a number, inclusive; a step counts from zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) step: Option<f64>,
}

/// A member of a struct, or a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) identifier: String,
    pub(crate) data: Data,
    /// Whether it may be left out.
    pub(crate) optional: bool,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at {pointer:?})")]
pub(crate) struct Invalid {
    /// JSON pointer (RFC 6901), from the value that was judged.
    pub(crate) pointer: String,
    pub(crate) reason: String,
}

impl Invalid {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { pointer: String::new(), reason: reason.into() }
    }

    /// The same, seen from one level further out.
    pub(crate) fn within(mut self, segment: impl std::fmt::Display) -> Self {
        let segment = segment.to_string().replace('~', "~0").replace('/', "~1");
        self.pointer.insert_str(0, &format!("/{segment}"));
        self
    }
}

impl Data {
    /// Judges a value, and returns it in the form that Alink asks for: floats with a fraction, bools as 0 or 1, dates as
    /// strings. Devices and people who write it otherwise are understood.
    pub(crate) fn accept(&self, value: &Value) -> Result<Value, Invalid> {
        match self {
            Self::Any => Ok(value.clone()),
            Self::Int(range) => {
                let number = whole(value).ok_or_else(|| Invalid::new("a whole number is needed"))?;
                if i32::try_from(number).is_err() {
                    return Err(Invalid::new("beyond 32 bits"));
                }
                #[expect(clippy::cast_precision_loss, reason = "32 bits fit")]
                range.judge(number as f64)?;
                Ok(number.into())
            }
            Self::Float(range) => {
                let number = value.as_f64().ok_or_else(|| Invalid::new("a number is needed"))?;
                range.judge(number)?;
                let number = Number::from_f64(number).ok_or_else(|| Invalid::new("a finite number is needed"))?;
                Ok(Value::Number(number))
            }
            Self::Text { max } => {
                let text = value.as_str().ok_or_else(|| Invalid::new("a text is needed"))?;
                match max {
                    Some(max) if text.chars().count() > *max => {
                        Err(Invalid::new(format!("longer than {max} characters")))
                    }
                    _ => Ok(value.clone()),
                }
            }
            Self::Date => date(value).ok_or_else(|| Invalid::new("milliseconds since 1970 are needed, as a string")),
            Self::Bool => match (value.as_bool(), whole(value)) {
                (Some(bit), _) => Ok(u8::from(bit).into()),
                (_, Some(bit @ (0 | 1))) => Ok(bit.into()),
                _ => Err(Invalid::new("0 or 1 is needed")),
            },
            Self::Enum(values) => match whole(value) {
                Some(number) if values.is_empty() || values.contains(&number) => Ok(number.into()),
                Some(number) => Err(Invalid::new(format!("{number} is none of {values:?}"))),
                None => Err(Invalid::new(format!("one of {values:?} is needed"))),
            },
            Self::Struct(members) => accept_members(members, value),
            Self::Array { item, max } => {
                let items = value.as_array().ok_or_else(|| Invalid::new("an array is needed"))?;
                if let Some(max) = max.filter(|max| items.len() > *max) {
                    return Err(Invalid::new(format!("more than {max} items")));
                }
                let items = items.iter().enumerate();
                let items = items.map(|(index, each)| item.accept(each).map_err(|invalid| invalid.within(index)));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
        }
    }
}

/// Judges an object by its members, in the model's order. Those that the model does not know are refused.
pub(crate) fn accept_members(members: &[Member], value: &Value) -> Result<Value, Invalid> {
    let object = value.as_object().ok_or_else(|| Invalid::new("an object is needed"))?;
    if let Some(unknown) = object.keys().find(|name| !members.iter().any(|member| member.identifier == **name)) {
        return Err(Invalid::new("the model has no such identifier").within(unknown));
    }
    let mut accepted = Map::new();
    for member in members {
        match object.get(&member.identifier) {
            Some(value) => {
                let value = member.data.accept(value).map_err(|invalid| invalid.within(&member.identifier))?;
                accepted.insert(member.identifier.clone(), value);
            }
            None if member.optional => {}
            None => return Err(Invalid::new("this is missing").within(&member.identifier)),
        }
    }
    Ok(Value::Object(accepted))
}

impl Range {
    fn judge(&self, number: f64) -> Result<(), Invalid> {
        if let Some(min) = self.min.filter(|min| number < *min) {
            return Err(Invalid::new(format!("below {min}")));
        }
        if let Some(max) = self.max.filter(|max| number > *max) {
            return Err(Invalid::new(format!("above {max}")));
        }
        let fits = |number: f64, step: f64| {
            let steps = number / step;
            (steps - steps.round()).abs() < 1e-6_f64.max(steps.abs() * f64::EPSILON * 4.0)
        };
        // There are models whose lower limit is no multiple of the step: nobody can say what they mean.
        let step = self.step.filter(|step| *step > 0.0 && self.min.is_none_or(|min| fits(min, *step)));
        match step {
            Some(step) if !fits(number, step) => Err(Invalid::new(format!("no multiple of {step}"))),
            _ => Ok(()),
        }
    }
}

/// Also `7.0`, which is how some write every number.
fn whole(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within 53 bits")]
    Some(number as i64)
}

fn date(value: &Value) -> Option<Value> {
    let millis = match value {
        Value::String(text) => text.parse::<i64>().ok(),
        _ => whole(value),
    };
    Some(Value::String(millis?.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn range(min: f64, max: f64, step: f64) -> Range {
        Range { min: Some(min), max: Some(max), step: Some(step) }
    }

    #[test]
    fn values_are_put_into_the_form_that_the_protocol_asks_for() {
        let float = Data::Float(range(0.0, 120.0, 0.1));
        assert_eq!(float.accept(&json!(7)).unwrap().to_string(), "7.0");
        assert_eq!(float.accept(&json!(0.3)).unwrap().to_string(), "0.3");
        assert_eq!(Data::Int(Range::default()).accept(&json!(7.0)).unwrap().to_string(), "7");
        assert_eq!(Data::Bool.accept(&json!(true)).unwrap(), json!(1));
        assert_eq!(Data::Date.accept(&json!(1_700_000_000_000_i64)).unwrap(), json!("1700000000000"));
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let minute = Member { identifier: "a/b".into(), data: Data::Int(range(0.0, 9.0, 1.0)), optional: false };
        let list = Data::Array { item: Box::new(Data::Struct(vec![minute])), max: Some(2) };
        let pointer = |value: Value| list.accept(&value).unwrap_err().pointer;
        assert_eq!(pointer(json!([{"a/b": 1}, {"a/b": 10}])), "/1/a~1b");
        assert_eq!(pointer(json!([{"a/b": 1}, {}])), "/1/a~1b");
        assert_eq!(pointer(json!([{"a/b": 1, "c": 1}])), "/0/c");
        assert_eq!(pointer(json!([{}, {}, {}])), "");
        assert_eq!(pointer(json!({})), "");
    }

    #[test]
    fn limits_hold() {
        let refused = |data: &Data, value: Value| data.accept(&value).is_err();
        let float = Data::Float(range(0.0, 120.0, 0.1));
        assert!(refused(&float, json!(0.25)) && refused(&float, json!(-0.1)) && refused(&float, json!("1")));
        let odd = Data::Float(range(0.25, 1.0, 0.1));
        assert!(!refused(&odd, json!(0.33)), "a step that does not fit the limits is not understood");
        let int = Data::Int(Range::default());
        assert!(refused(&int, json!(3_000_000_000_u64)) && refused(&int, json!(1.5)) && refused(&int, json!(null)));
        let text = Data::Text { max: Some(2) };
        assert!(!refused(&text, json!("电压")) && refused(&text, json!("abc")));
        let level = Data::Enum(vec![0, 40001]);
        assert!(!refused(&level, json!(40001)) && refused(&level, json!(1)) && refused(&level, json!("0")));
        assert!(refused(&Data::Bool, json!(2)) && refused(&Data::Date, json!("soon")));
    }
}
