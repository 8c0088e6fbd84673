//! Extends a channel by packages: the last member is copied and extended, further ones are made.

use std::{
    io::{self, Read},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;

use super::{
    Repository, RepositoryError, Result,
    channel::Channel,
    disk::{self, UnflushedWrites},
    members::{GzipMember, MAX_MEMBER_PACKAGES, MemberPackage, MetadataFile, gzip, is_member_full},
    record::MetadataFragments,
};

/// A member in the making.
#[derive(Default)]
struct Draft {
    /// The member it extends, if it extends one.
    from: Option<u64>,
    packages: Vec<MemberPackage>,
    /// What is compressed already.
    kept: [Vec<u8>; 3],
    /// What comes behind it.
    text: [String; 3],
    open_sizes: [u64; 3],
}

impl Draft {
    fn add(&mut self, listed: &MemberPackage, fragments: &MetadataFragments) {
        self.packages.push(listed.clone());
        for file in MetadataFile::ALL {
            let fragment = file.fragment(fragments);
            self.text[file as usize].push_str(fragment);
            self.open_sizes[file as usize] += fragment.len() as u64;
        }
    }

    /// The compressed bytes of each file.
    fn pieces(&self) -> io::Result<[Vec<u8>; 3]> {
        let mut pieces = self.kept.clone();
        for (piece, text) in pieces.iter_mut().zip(&self.text) {
            if self.packages.len() >= MAX_MEMBER_PACKAGES && !piece.is_empty() {
                let mut whole = Vec::new();
                MultiGzDecoder::new(&**piece).read_to_end(&mut whole)?;
                whole.extend_from_slice(text.as_bytes());
                *piece = gzip(&whole);
            } else if !text.is_empty() {
                piece.extend(gzip(text.as_bytes()));
            }
        }
        Ok(pieces)
    }
}

impl Repository {
    /// Makes members of `next` out of `packages`; those that `open` has room for come behind its own.
    pub(super) fn write_members(
        &self,
        next: &mut Channel,
        open: Option<&GzipMember>,
        packages: &[MemberPackage],
        unflushed: &mut UnflushedWrites,
    ) -> Result<()> {
        let mut draft = Draft::default();
        if let Some(member) = open {
            draft.from = Some(member.id);
            draft.packages.clone_from(&member.packages);
            draft.open_sizes = member.open_sizes;
            for file in MetadataFile::ALL {
                draft.kept[file as usize] = self.member_bytes(&next.name, member, file)?;
            }
        }
        for listed in packages {
            draft.add(listed, &self.read_fragments(&listed.file)?);
            if is_member_full(draft.packages.len(), &draft.open_sizes) {
                self.write_member(next, std::mem::take(&mut draft), unflushed)?;
            }
        }
        if draft.packages.is_empty() { Ok(()) } else { self.write_member(next, draft, unflushed) }
    }

    fn write_member(&self, next: &mut Channel, draft: Draft, unflushed: &mut UnflushedWrites) -> Result<()> {
        let path = self.layout().member(&next.name, next.next_member);
        let pieces = draft.pieces().map_err(|why| {
            let from = draft.from.map_or_else(|| path.clone(), |id| self.layout().member(&next.name, id));
            RepositoryError::damaged(&from, why)
        })?;
        let member = GzipMember {
            id: next.next_member,
            packages: draft.packages,
            open_sizes: draft.open_sizes,
            sizes: pieces.each_ref().map(|piece| piece.len() as u64),
        };
        let mut bytes = disk::to_json_bytes(&path, &member)?;
        bytes.push(b'\n');
        bytes.extend(pieces.concat());
        unflushed.write(&path, &bytes)?;
        next.next_member += 1;
        next.members.push(Arc::new(member));
        Ok(())
    }
}
