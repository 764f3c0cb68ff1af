//! The management API's document: its objects, hrefs and the forms that clients read.
