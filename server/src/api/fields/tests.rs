//! Every error names its field.

use super::*;
use poem::IntoResponse;

fn fields(value: Value) -> Fields {
    let Value::Object(values) = value else { panic!("not an object") };
    Fields::new(values)
}

async fn errors(fields: Fields) -> Value {
    let response = fields.finish().unwrap_err().into_response();
    assert_eq!(response.status(), 400);
    serde_json::from_str(&response.into_body().into_string().await.unwrap()).unwrap()
}

#[tokio::test]
async fn every_error_names_its_field() {
    let mut body = fields(json!({
        "blank": " ", "null": null, "number": "x", "low": 0, "huge": 1e12, "flag": 3, "seconds": -1, "texts": "a",
        "pem": "x", "href": "/x/", "labels": {"a b": ""}, "choice": "z", "long": "a".repeat(256), "foo": 1,
    }));
    body.require(&["name"]);
    assert_eq!(body.text("blank"), None);
    assert_eq!(body.text("null"), None);
    assert_eq!(body.nullable_number("number", 0), None);
    assert_eq!(body.nullable_number("low", 1), None);
    assert_eq!(body.nullable_number("huge", 1), None);
    assert_eq!(body.boolean("flag"), None);
    assert_eq!(body.nullable_seconds("seconds"), None);
    assert_eq!(body.nullable_texts("texts"), None);
    assert_eq!(body.nullable_checked("pem", |text| Err(format!("{text} is no PEM"))), None);
    assert_eq!(body.nullable_href("href", Kind::Remote), None);
    assert_eq!(body.labels("labels"), None);
    assert_eq!(body.choice("choice", |_| None::<()>), None);
    assert_eq!(body.name("long"), None);
    assert_eq!(
        errors(body).await,
        json!({
            "name": ["This field is required."],
            "blank": ["This field may not be blank."],
            "null": ["This field may not be null."],
            "number": ["A valid integer is required."],
            "low": ["Ensure this value is greater than or equal to 1."],
            "huge": ["A valid integer is required."],
            "flag": ["Must be a valid boolean."],
            "seconds": ["Ensure this value is greater than or equal to 0.0."],
            "texts": ["Expected a list of items."],
            "pem": ["x is no PEM"],
            "href": ["Invalid hyperlink - No URL match."],
            "labels": ["Key 'a b' contains non-alphanumerics."],
            "choice": ["\"z\" is not a valid choice."],
            "long": ["Ensure this field has no more than 255 characters."],
            "foo": ["Unexpected field"],
        })
    );
}

#[tokio::test]
async fn errors_within_an_object_are_told_below_its_name() {
    let mut body = fields(json!({"good": {"flag": true}, "bad": {"flag": 3, "foo": 1}, "text": "x"}));
    let flag = |within: &mut Fields| within.boolean("flag");
    assert_eq!(body.object("good", flag), Some(true));
    assert_eq!(body.object("bad", flag), None);
    assert_eq!(body.object("text", flag), None);
    assert_eq!(body.object("absent", flag), None);
    assert_eq!(
        errors(body).await,
        json!({
            "bad": {"flag": ["Must be a valid boolean."], "foo": ["Unexpected field"]},
            "text": ["Expected a dictionary of items."],
        })
    );
}

#[test]
fn null_absent_and_values_differ() {
    let mut body = fields(json!({"a": null, "b": "x", "c": ""}));
    assert_eq!(body.nullable_text("a"), Some(None));
    assert_eq!(body.nullable_text("b"), Some(Some("x".to_owned())));
    assert_eq!(body.nullable_text("c"), Some(None));
    assert_eq!(body.nullable_text("d"), None);
    assert!(body.finish().is_ok());
}
