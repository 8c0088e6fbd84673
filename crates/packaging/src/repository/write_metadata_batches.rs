//! Extends a channel by packages: the last batch is copied and extended, further ones are made.

use std::{
    io::{self, Read},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;

use super::{
    Repository, RepositoryError, Result,
    channel_generation::ChannelGeneration,
    durable_writes::{self, UnflushedWrites},
    metadata_batch::{
        ChannelPackageFileAndDigest, MAX_PACKAGES_PER_BATCH, MetadataBatch, MetadataFileKind, gzip_compress,
        is_batch_full,
    },
    package_record::PackageMetadataXmlFragments,
};

/// A batch in the making.
#[derive(Default)]
struct DraftBatch {
    /// The batch it extends, if it extends one.
    from: Option<u64>,
    packages: Vec<ChannelPackageFileAndDigest>,
    /// What is compressed already.
    kept: [Vec<u8>; 3],
    /// What comes behind it.
    text: [String; 3],
    open_sizes: [u64; 3],
}

impl DraftBatch {
    fn add(&mut self, listed: &ChannelPackageFileAndDigest, fragments: &PackageMetadataXmlFragments) {
        self.packages.push(listed.clone());
        for file in MetadataFileKind::ALL_METADATA_FILE_KINDS {
            let fragment = file.fragment_for_metadata_file(fragments);
            self.text[file as usize].push_str(fragment);
            self.open_sizes[file as usize] += fragment.len() as u64;
        }
    }

    /// The compressed bytes of each file.
    fn pieces(&self) -> io::Result<[Vec<u8>; 3]> {
        let mut pieces = self.kept.clone();
        for (piece, text) in pieces.iter_mut().zip(&self.text) {
            if self.packages.len() >= MAX_PACKAGES_PER_BATCH && !piece.is_empty() {
                let mut whole = Vec::new();
                MultiGzDecoder::new(&**piece).read_to_end(&mut whole)?;
                whole.extend_from_slice(text.as_bytes());
                *piece = gzip_compress(&whole);
            } else if !text.is_empty() {
                piece.extend(gzip_compress(text.as_bytes()));
            }
        }
        Ok(pieces)
    }
}

impl Repository {
    /// Makes batches of `next` out of `packages`; those that `open` has room for come behind its own.
    pub(super) fn batch_and_write_package_metadata(
        &self,
        next: &mut ChannelGeneration,
        open: Option<&MetadataBatch>,
        packages: &[ChannelPackageFileAndDigest],
        unflushed: &mut UnflushedWrites,
    ) -> Result<()> {
        let mut draft = DraftBatch::default();
        if let Some(batch) = open {
            draft.from = Some(batch.id);
            draft.packages.clone_from(&batch.packages);
            draft.open_sizes = batch.open_sizes;
            for file in MetadataFileKind::ALL_METADATA_FILE_KINDS {
                draft.kept[file as usize] = self.read_compressed_batch_metadata(&next.name, batch, file)?;
            }
        }
        for listed in packages {
            draft.add(listed, &self.read_metadata_fragments(&listed.file)?);
            if is_batch_full(draft.packages.len(), &draft.open_sizes) {
                self.write_metadata_batch(next, std::mem::take(&mut draft), unflushed)?;
            }
        }
        if draft.packages.is_empty() { Ok(()) } else { self.write_metadata_batch(next, draft, unflushed) }
    }

    fn write_metadata_batch(
        &self,
        next: &mut ChannelGeneration,
        draft: DraftBatch,
        unflushed: &mut UnflushedWrites,
    ) -> Result<()> {
        let path = self.layout().metadata_batch_path(&next.name, next.next_batch);
        let pieces = draft.pieces().map_err(|why| {
            let from = draft
                .from
                .map_or_else(|| path.clone(), |id| self.layout().metadata_batch_path(&next.name, id));
            RepositoryError::new_damaged_file_error(&from, why)
        })?;
        let batch = MetadataBatch {
            id: next.next_batch,
            packages: draft.packages,
            open_sizes: draft.open_sizes,
            sizes: pieces.each_ref().map(|piece| piece.len() as u64),
        };
        let mut bytes = durable_writes::to_json_bytes(&path, &batch)?;
        bytes.push(b'\n');
        bytes.extend(pieces.concat());
        unflushed.write_unflushed_file(&path, &bytes)?;
        next.next_batch += 1;
        next.batches.push(Arc::new(batch));
        Ok(())
    }
}
