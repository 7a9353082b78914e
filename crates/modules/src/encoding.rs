//! Bytes as printable ASCII, for the state variable: it travels through every shell, job and log.

/// Spells `bytes` in printable ASCII: other bytes, `%` and the quotes become `%XX`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b'"' | b'\'' | b'\\' | b'`' | b'$') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The bytes that [`encode`] spelled; `None` for text it cannot have written.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Some(bytes)
}

/// For `#[serde(with = "encoding")]` on a `Vec<u8>`.
pub fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(bytes))
}

/// The other way of [`serialize`].
pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    decode(&text).ok_or_else(|| serde::de::Error::custom("not an encoded value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decode_undoes_encode(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = encode(&bytes);
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"'\"\\`$".contains(&b)));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn decode_takes_any_text_without_panic(text in ".*") {
            let _ = decode(&text);
        }
    }
}
