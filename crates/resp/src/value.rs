//! Replies as values, for whoever reads them: the client side of both protocol versions.
//!
//! Texts are bytes, because no server promises UTF-8. The two nulls of RESP2 and that of RESP3 are
//! one. Nothing here prints; how a value looks is the business of its reader.
//!
//! Tests: with the decoder.

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Simple(Vec<u8>),
    /// `-` and RESP3's bulk error alike; the text with its code.
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    /// Out-of-band data, not the reply to a command.
    Push(Vec<Value>),
    Double(f64),
    Boolean(bool),
    BigNumber(Vec<u8>),
    Verbatim {
        format: [u8; 3],
        text: Vec<u8>,
    },
    /// A value that attributes were sent with.
    Attribute {
        attributes: Vec<(Value, Value)>,
        value: Box<Value>,
    },
}

impl Value {
    /// The value without its attributes.
    pub fn without_attributes(self) -> Value {
        let mut value = self;
        while let Value::Attribute { value: inner, .. } = value {
            value = *inner;
        }
        value
    }

    /// The text of a status, error, bulk string, verbatim string or big number.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(text) | Value::Error(text) | Value::Bulk(text) => Some(text),
            Value::BigNumber(text) | Value::Verbatim { text, .. } => Some(text),
            Value::Attribute { value, .. } => value.as_bytes(),
            _ => None,
        }
    }

    /// The text as far as it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The elements of an array, set or push.
    pub fn as_elements(&self) -> Option<&[Value]> {
        match self {
            Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => Some(elements),
            Value::Attribute { value, .. } => value.as_elements(),
            _ => None,
        }
    }

    pub fn is_error(&self) -> bool {
        match self {
            Value::Error(_) => true,
            Value::Attribute { value, .. } => value.is_error(),
            _ => false,
        }
    }
}
