//! Writes the seeds of every decoder to `corpus/`, where libFuzzer starts from.

fn main() -> std::io::Result<()> {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for decoder in trueup_fuzz::DECODERS {
        let folder = corpus.join(decoder.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (decoder.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
