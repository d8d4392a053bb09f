//! What cannot work does not compile, and the message says what to write instead.

#[test]
fn mistakes_are_told_at_the_users_code() {
    trybuild::TestCases::new().compile_fail("compile_fail/*.rs");
}
