//! Makes what the crate `onwire` has built in: the same types, of the same schemas.

fn main() -> Result<(), onwire_codegen::Error> {
    let messages = ["BootNotification", "MeterValues", "SetChargingProfile", "StatusNotification"];
    onwire_codegen::ocpp_1_6().only(messages).to_out_dir("outside")
}
