//! How long the codes of an alphabet are: the Huffman tree of zlib's `trees.c`.
//!
//! There are many best trees. Which one comes out depends on how equals are ordered, so the heap and its ties
//! are exactly zlib's: the rarer node comes first, of equals the shallower one, of equals again the one that
//! the heap happens to have on top.

/// More than the nodes of the largest tree: a leaf for each of at most 286 symbols, and what joins them.
const NODES: usize = 2 * 286;

/// A node in the heap: how often it comes, how deep the tree below it is, and its number, from the top bits
/// down.
#[derive(Clone, Copy, Default)]
struct Node(u64);

impl Node {
    fn new(count: u64, depth: u64, number: usize) -> Self {
        Self(count << 24 | depth << 16 | number as u64)
    }

    fn count(self) -> u64 {
        self.0 >> 24
    }

    fn depth(self) -> u64 {
        self.0 >> 16 & 0xff
    }

    fn number(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    /// Whether it may stand above another one.
    fn is_lighter(self, other: Self) -> bool {
        self.0 >> 16 <= other.0 >> 16
    }
}

/// A heap, the lightest node on top.
struct Heap {
    /// From 1 on, so that the children of `n` are `2n` and `2n + 1`.
    nodes: [Node; NODES],
    count: usize,
}

impl Heap {
    fn push_unordered(&mut self, node: Node) {
        self.count += 1;
        self.nodes[self.count] = node;
    }

    /// Lets the node at `place` sink to where nothing below it is lighter.
    fn sink(&mut self, mut place: usize) {
        let sinking = self.nodes[place];
        let mut child = place * 2;
        while child <= self.count {
            if child < self.count && self.nodes[child + 1].is_lighter(self.nodes[child]) {
                child += 1;
            }
            if sinking.is_lighter(self.nodes[child]) {
                break;
            }
            self.nodes[place] = self.nodes[child];
            place = child;
            child *= 2;
        }
        self.nodes[place] = sinking;
    }

    fn pop(&mut self) -> Node {
        let lightest = self.nodes[1];
        self.nodes[1] = self.nodes[self.count];
        self.count -= 1;
        self.sink(1);
        lightest
    }
}

/// How long each symbol's code is, at most `most_bits`, for symbols that come so often.
pub(super) fn lengths<const N: usize>(counts: &[u16; N], most_bits: u8) -> [u8; N] {
    let mut heap = Heap { nodes: [Node::default(); NODES], count: 0 };
    for (symbol, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        heap.push_unordered(Node::new(u64::from(*count), 0, symbol));
    }
    // There are always two codes, even if there is nothing to tell apart.
    let mut last = counts.iter().rposition(|count| *count > 0);
    while heap.count < 2 {
        let filling = match last {
            None => 0,
            Some(last @ 0..2) => last + 1,
            Some(_) => 0,
        };
        heap.push_unordered(Node::new(1, 0, filling));
        last = last.max(Some(filling));
    }
    for place in (1..=heap.count / 2).rev() {
        heap.sink(place);
    }

    // The nodes as they leave the heap: the rarest first, a parent after its children.
    let mut order = [0_u16; NODES];
    let mut parents = [0_u16; NODES];
    let mut left = 0;
    let mut joint = N;
    while heap.count >= 2 {
        let (first, second) = (heap.pop(), heap.nodes[1]);
        for node in [first, second] {
            order[left] = node.number() as u16;
            parents[node.number()] = joint as u16;
            left += 1;
        }
        let depth = first.depth().max(second.depth()) + 1;
        heap.nodes[1] = Node::new(first.count() + second.count(), depth, joint);
        heap.sink(1);
        joint += 1;
    }
    shorten(&order[..left], &parents, most_bits)
}

/// The depth of each leaf, where it is not more than `most_bits`; the others are moved up, for which some that
/// come seldom have to move down.
fn shorten<const N: usize>(order: &[u16], parents: &[u16; NODES], most_bits: u8) -> [u8; N] {
    let mut lengths = [0; N];
    let mut depths = [0_u8; NODES];
    let mut of_length = [0_u16; 16];
    let mut too_deep = 0_i32;
    // The root has left last of all, and is not in the list.
    for node in order.iter().rev().map(|node| usize::from(*node)) {
        let mut depth = depths[usize::from(parents[node])] + 1;
        if depth > most_bits {
            depth = most_bits;
            too_deep += 1;
        }
        depths[node] = depth;
        if let Some(length) = lengths.get_mut(node) {
            *length = depth;
            of_length[usize::from(depth)] += 1;
        }
    }
    if too_deep == 0 {
        return lengths;
    }
    let most = usize::from(most_bits);
    while too_deep > 0 {
        // A leaf moves down one bit and takes one that was too deep as its brother.
        let above = (1..most).rev().find(|length| of_length[*length] > 0).unwrap_or(1);
        of_length[above] -= 1;
        of_length[above + 1] += 2;
        of_length[most] -= 1;
        too_deep -= 2;
    }
    let mut leaves = order.iter().map(|node| usize::from(*node)).filter(|node| *node < N);
    for length in (1..=most).rev() {
        for leaf in leaves.by_ref().take(usize::from(of_length[length])) {
            lengths[leaf] = length as u8;
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of all codes a set of lengths uses up, in codes of 15 bits.
    fn used(lengths: &[u8]) -> u32 {
        lengths.iter().filter(|length| **length > 0).map(|length| 1 << (15 - length)).sum()
    }

    #[test]
    fn there_are_always_two_codes() {
        assert_eq!(lengths(&[0; 30], 15)[..3], [1, 1, 0]);
        let mut counts = [0; 30];
        counts[0] = 7;
        assert_eq!(lengths(&counts, 15)[..3], [1, 1, 0]);
        let mut counts = [0; 30];
        counts[1] = 7;
        assert_eq!(lengths(&counts, 15)[..4], [0, 1, 1, 0]);
        let mut counts = [0; 30];
        counts[9] = 7;
        assert_eq!(lengths(&counts, 15)[..10], [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn rare_symbols_are_never_too_deep() {
        // Fibonacci numbers make the deepest trees.
        let mut counts = [0_u16; 286];
        let (mut a, mut b) = (1, 1);
        for count in &mut counts[..21] {
            *count = a;
            (a, b) = (b, a + b);
        }
        for most in [5, 7, 15] {
            let lengths = lengths(&counts, most);
            assert!(lengths.iter().all(|length| *length <= most));
            assert_eq!(used(&lengths), 1 << 15, "the code is complete");
            assert!(lengths[..21].is_sorted_by(|rarer, other| rarer >= other));
        }
    }
}
