//! Where the cloud is.

use alloc::string::String;

/// The MQTT host of a public instance: `{pk}.iot-as-mqtt.{region}.aliyuncs.com`, on port 1883; SDKs use 443 and
/// 8883 too.
///
/// Regions that are known to be there: `cn-shanghai`, `ap-southeast-1`, `ap-northeast-1`, `us-west-1`, `eu-central-1`.
pub fn regional_host(product_key: &str, region: &str) -> String {
    alloc::format!("{product_key}.iot-as-mqtt.{region}.aliyuncs.com")
}

/// The MQTT host of an enterprise instance: `{instanceId}.mqtt.iothub.aliyuncs.com`.
pub fn instance_host(instance_id: &str) -> String {
    alloc::format!("{instance_id}.mqtt.iothub.aliyuncs.com")
}

/// The host of registration over HTTPS: `iot-auth.{region}.aliyuncs.com`.
pub fn register_host(region: &str) -> String {
    alloc::format!("iot-auth.{region}.aliyuncs.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_those_of_the_documentation() {
        assert_eq!(regional_host("a1X", "cn-shanghai"), "a1X.iot-as-mqtt.cn-shanghai.aliyuncs.com");
        assert_eq!(instance_host("iot-060a"), "iot-060a.mqtt.iothub.aliyuncs.com");
        assert_eq!(register_host("cn-shanghai"), "iot-auth.cn-shanghai.aliyuncs.com");
    }
}
