//! The slot of a key: which of a cluster's nodes has it follows from that alone.

/// How many slots a cluster has.
pub(super) const SLOTS: usize = 16_384;

/// The slot of a key: of what is in its first braces, if there is anything, else of all of it.
pub(super) fn slot(key: &[u8]) -> usize {
    usize::from(crc16(tag(key))) % SLOTS
}

fn tag(key: &[u8]) -> &[u8] {
    let position = |bytes: &[u8], which| bytes.iter().position(|byte| *byte == which);
    let Some(open) = position(key, b'{') else {
        return key;
    };
    let inside = &key[open + 1..];
    match position(inside, b'}') {
        None | Some(0) => key,
        Some(close) => &inside[..close],
    }
}

/// The checksum that the slots are made of: CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        u16::from_be_bytes([low, 0]) ^ TABLE[usize::from(high ^ byte)]
    })
}

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let (mut table, mut byte) = ([0; 256], 0_u16);
    while byte < 256 {
        let (mut crc, mut bit) = (byte << 8, 0);
        while bit < 8 {
            crc = (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use bb8_redis::redis::{Client, Pipeline};
    use cast_testkit::{Seed, servers::RedisCluster};

    use super::*;

    /// Whatever is in a key, and wherever its braces are.
    #[tokio::test]
    async fn it_is_what_a_server_says() {
        let Some(cluster) = RedisCluster::start(1, 0).await else {
            return;
        };
        let entropy = Seed::from_env_or_random().entropy();
        let any_byte = || match entropy.below(6) {
            0 => b'{',
            1 => b'}',
            _ => u8::try_from(entropy.below(256)).expect("a byte"),
        };
        let keys: Vec<Vec<u8>> = (0..5_000)
            .map(|_| (0..entropy.below(24)).map(|_| any_byte()).collect())
            .collect();
        let mut asking = Pipeline::new();
        for key in &keys {
            asking.cmd("CLUSTER").arg("KEYSLOT").arg(key);
        }
        let client = Client::open(cluster.nodes()[0].url()).expect("a URL");
        let mut link = client
            .get_multiplexed_async_connection()
            .await
            .expect("it is there");
        let said: Vec<usize> = asking.query_async(&mut link).await.expect("it answers");
        for (key, said) in keys.iter().zip(said) {
            assert_eq!(slot(key), said, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn a_slot_follows_from_what_is_in_the_first_braces() {
        assert_eq!(crc16(b"123456789"), 0x31c3, "as its specification has it");
        for (key, tagged) in [
            ("plain", "plain"),
            ("{tag}rest", "tag"),
            ("before{tag}{other}", "tag"),
            ("{}all", "{}all"),
            ("{open", "{open"),
            ("close}{tag}", "tag"),
            ("{{tag}}", "{tag"),
            ("", ""),
        ] {
            assert_eq!(tag(key.as_bytes()), tagged.as_bytes(), "{key}");
        }
        assert_eq!(slot(b"{a}1"), slot(b"a"));
    }
}
