//! Times publications into one growing channel: `cargo run --release -p packaging --example publications 5000`.
#![expect(clippy::print_stdout, reason = "its output is a table for people")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::{error::Error, time::Instant};

use model::name::Name;
use packaging::{openpgp::SecretKey, repository::Repository};

const NOON: u32 = 1_700_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let count: u32 = std::env::args().nth(1).map_or(Ok(1000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let key = SecretKey::generate_secret_key("timing <timing@example.org>", NOON)?;
    let repository = Repository::create_repository(&folder.path().join("repository"), key.clone())?;
    let channel = Name::new("dev")?;
    repository.create_channel_if_absent(&channel, None, NOON)?;
    let steps = [1, 2, 10, 100, 500, 1000, 2000, 3000, 4000, 5000, 10_000];
    println!("{:>12} {:>12} {:>12}", "publication", "receive ms", "publish ms");
    for n in 1..=count {
        let name = format!("tool{n:05}");
        let mut builder = rpm::PackageBuilder::new(&name, "1.0", "Apache-2.0", "noarch", "A tool");
        for file in 0..20 {
            let path = format!("/usr/share/{name}/file{file:02}");
            builder.with_file_contents(path.clone(), rpm::FileOptions::new(path))?;
        }
        builder.release("1").using_config(rpm::BuildConfig::v4().source_date(NOON));
        let package = builder.build_and_sign(key.new_rpm_header_signer())?;
        let mut bytes = Vec::new();
        package.write(&mut bytes)?;
        let file = format!("{name}-1.0-1.noarch.rpm");
        let start = Instant::now();
        repository.receive_package(&*bytes, &file, 1 << 20)?;
        let received = start.elapsed();
        let start = Instant::now();
        repository.publish_received_packages_in_channel(&channel, &[file], NOON + n)?;
        let published = start.elapsed();
        if steps.contains(&n) || n == count {
            let ms = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
            println!("{n:>12} {:>12.1} {:>12.1}", ms(received), ms(published));
        }
    }
    Ok(())
}
