//! The Merkle tree hash of RFC 9162, section 2.1.1, over a batch's entries in index order.

use crate::digest::Digest;

/// The root over `entries`. None at all: SHA-256 of nothing.
pub fn root(entries: impl Iterator<Item = Digest>) -> Digest {
    let mut tree = MerkleTree::default();
    entries.for_each(|entry| tree.push(&entry.0));
    tree.root()
}

/// A tree that grows leaf by leaf and keeps only what its root needs: one hash for each bit of its size.
#[derive(Debug, Clone, Default)]
pub struct MerkleTree {
    leaves: u64,
    /// Roots of the full subtrees, largest first: one for each bit set in `leaves`.
    peaks: Vec<Digest>,
}

impl MerkleTree {
    /// Adds a leaf with `data`: a batch's tree takes the 32 bytes of each entry.
    pub fn push(&mut self, data: &[u8]) {
        let mut node = Digest::of(&[&[0], data]);
        for _ in 0..self.leaves.trailing_ones() {
            let left = self.peaks.pop().expect("a full subtree for each low bit of the size");
            node = parent(&left, &node);
        }
        self.peaks.push(node);
        self.leaves += 1;
    }

    /// How many leaves there are.
    pub fn len(&self) -> u64 {
        self.leaves
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// The root over the leaves so far.
    pub fn root(&self) -> Digest {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| parent(&left, &right));
        joined.unwrap_or_else(|| Digest::of(&[]))
    }
}

fn parent(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[&[1], &left.0, &right.0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word by word: split at the largest power of two below the size.
    fn by_definition(leaves: &[Vec<u8>]) -> Digest {
        match leaves {
            [] => Digest::of(&[]),
            [leaf] => Digest::of(&[&[0], leaf]),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(split);
                Digest::of(&[&[1], &by_definition(left).0, &by_definition(right).0])
            }
        }
    }

    fn streamed(leaves: &[Vec<u8>]) -> Digest {
        let mut tree = MerkleTree::default();
        for leaf in leaves {
            tree.push(leaf);
        }
        tree.root()
    }

    /// The test vectors of Certificate Transparency's reference implementation, which RFC 9162 inherits.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let leaves: Vec<Vec<u8>> =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
                .map(|leaf| hex::decode(leaf).unwrap())
                .to_vec();
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(streamed(&leaves[..size]).to_string(), *root, "{size} leaves");
        }
    }

    proptest! {
        #[test]
        fn a_streamed_root_is_the_defined_one(leaves in prop::collection::vec(any::<[u8; 32]>(), 0..200)) {
            let leaves: Vec<Vec<u8>> = leaves.into_iter().map(Vec::from).collect();
            prop_assert_eq!(streamed(&leaves), by_definition(&leaves));
        }
    }
}
