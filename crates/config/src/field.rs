//! How each type of field in `Config` travels as a `Value`.
//!
//! A kind and its field disagreeing is a bug; table.rs's hygiene tests meet it for every row.

use crate::kind::Value;
use crate::text::Text;
use crate::types::*;

/// A typed field of `Config`. `from_value` may assume that the value passed its kind's bounds.
pub trait Field: Sized {
    fn to_value(&self) -> Value;
    fn from_value(value: Value) -> Self;
}

macro_rules! number_fields {
    ($($number:ty),+) => { $(
        impl Field for $number {
            fn to_value(&self) -> Value {
                Value::Number(*self as i128)
            }

            fn from_value(value: Value) -> Self {
                match value {
                    Value::Number(number) => {
                        <$number>::try_from(number).expect("an option's bounds fit its field")
                    }
                    other => unreachable!("number from {other:?}"),
                }
            }
        }
    )+ };
}

number_fields!(u16, i32, u32, u64, i64, usize);

macro_rules! plain_fields {
    ($($field:ty => $variant:ident),+ $(,)?) => { $(
        impl Field for $field {
            fn to_value(&self) -> Value {
                Value::$variant(self.clone())
            }

            fn from_value(value: Value) -> Self {
                match value {
                    Value::$variant(inner) => inner,
                    other => unreachable!("{} from {other:?}", stringify!($field)),
                }
            }
        }
    )+ };
}

plain_fields! {
    bool => Bool,
    ClientsMemory => ClientsMemory,
    Text => Text,
    Vec<SavePoint> => Save,
    OutputBufferLimits => OutputBufferLimits,
    [i32; 3] => OomScores,
    Vec<String> => Words,
    Option<PrimaryAddress> => Primary,
    Vec<f64> => Percentiles,
}

macro_rules! flag_fields {
    ($($flags:ident),+) => { $(
        impl Field for $flags {
            fn to_value(&self) -> Value {
                Value::Flags(self.0)
            }

            fn from_value(value: Value) -> Self {
                match value {
                    Value::Flags(bits) => $flags(bits),
                    other => unreachable!("flags from {other:?}"),
                }
            }
        }
    )+ };
}

flag_fields!(ShutdownFlags, NotifyFlags);
