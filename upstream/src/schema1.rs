//! What a signed Docker schema 1 manifest is the digest of: not its bytes, but what was signed ("Image
//! Manifest Version 2, Schema 1", "Signed Manifests").

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Signed {
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    protected: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protected {
    format_length: usize,
    format_tail: String,
}

/// The signed bytes: a prefix of the document, and the tail that the signatures took the place of.
pub(crate) fn signed_payload(manifest: &[u8]) -> Option<Vec<u8>> {
    let signed: Signed = serde_json::from_slice(manifest).ok()?;
    let protected = URL_SAFE_NO_PAD.decode(&signed.signatures.first()?.protected).ok()?;
    let protected: Protected = serde_json::from_slice(&protected).ok()?;
    let mut payload = manifest.get(..protected.format_length)?.to_vec();
    payload.extend(URL_SAFE_NO_PAD.decode(protected.format_tail).ok()?);
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_put_together_again() {
        let head = "{\n   \"schemaVersion\": 1";
        let protected = format!(r#"{{"formatLength":{},"formatTail":"Cn0"}}"#, head.len());
        let protected = URL_SAFE_NO_PAD.encode(protected);
        let signed = format!("{head},\n   \"signatures\": [{{\"protected\": \"{protected}\"}}]\n}}");
        assert_eq!(signed_payload(signed.as_bytes()).unwrap(), format!("{head}\n}}").as_bytes());
    }

    #[test]
    fn unsigned_or_lying_documents_have_none() {
        let far = URL_SAFE_NO_PAD.encode(r#"{"formatLength":9999,"formatTail":"Cn0"}"#);
        let far = format!(r#"{{"signatures":[{{"protected":"{far}"}}]}}"#);
        for text in ["", "{}", r#"{"signatures":[]}"#, r#"{"signatures":[{"protected":"!"}]}"#, &far] {
            assert_eq!(signed_payload(text.as_bytes()), None, "{text}");
        }
    }
}
