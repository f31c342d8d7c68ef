// Ordered maps and sets that are values: a copy costs O(1) and shares everything with the original,
// a change O(log n) and leaves the copies as they were, and two that have a common ancestor are
// compared in the time of what differs between them. So a stage can keep what it was given the last
// time and be a function of the entries that changed since.
//
//      before:   d          after = before, and f set:   d'        <- new: the way from the root
//               / \                                     / \           to the change (path copying)
//              b   e                                   b   e'
//             / \                                      ^    \      ^ shared: diff() skips it
//            a   c                                   shared  f
//
// An AVL tree (Adelson-Velsky and Landis, 1962): the heights of two siblings differ by one at most.
// A change looks for its place once, and then follows the turns that it took. What no copy shares
// is changed in place.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace vmirror {

namespace persistent {

/// Holds a T together with others. Their number is in the T (`holders`, 1 at first): a thousand
/// ports' trees are read cold, and a node is half as long as with std::shared_ptr.
template <typename T>
class Held {
 public:
  Held() = default;
  explicit Held(T* made) : it_(made) {}
  Held(const Held& o) : it_(o.it_) {
    if (it_) it_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  Held(Held&& o) noexcept : it_(std::exchange(o.it_, nullptr)) {}
  Held& operator=(Held o) noexcept {
    std::swap(it_, o.it_);
    return *this;
  }
  ~Held() {
    if (it_ && (is_alone() || it_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1))
      delete it_;
  }

  /// Nobody else holds it, so that nobody can come to hold it but by this one.
  bool is_alone() const { return it_->holders.load(std::memory_order_acquire) == 1; }
  T* get() const { return it_; }
  T* operator->() const { return it_; }
  T& operator*() const { return *it_; }
  explicit operator bool() const { return it_ != nullptr; }

 private:
  T* it_ = nullptr;
};

/// The tree under both. `Item` has `key()`; equal items are interchangeable. What several trees
/// hold is never changed, so that trees may be read by any number of threads at once.
template <typename Item>
struct Tree {
  struct Box {
    template <typename... Args>
    explicit Box(Args&&... args) : item(std::forward<Args>(args)...) {}
    std::atomic<std::uint32_t> holders{1};
    Item item;
  };
  struct Node;
  using Link = Held<Node>;
  struct Node {
    explicit Node(Held<Box> b) : box(std::move(b)) {}
    Node(const Node& o)
        : height(o.height), size(o.size), box(o.box), left(o.left), right(o.right) {}
    const Item& item() const { return box->item; }
    decltype(auto) key() const { return box->item.key(); }

    std::atomic<std::uint32_t> holders{1};
    std::uint32_t height = 1;
    std::size_t size = 1;
    Held<Box> box;
    Link left, right;
  };

  static std::uint32_t height(const Link& t) { return t ? t->height : 0; }
  static std::size_t size(const Link& t) { return t ? t->size : 0; }

  /// Where a key is, or would be: the turns from the root, the first one in the lowest bit. An AVL
  /// tree of height 48 has 10^10 items.
  struct Place {
    std::uint64_t turns = 0;  ///< 1: right.
    std::uint32_t depth = 0;
    const Node* node = nullptr;  ///< Null: there is no such key.
  };
  template <typename K>
  static Place find(const Node* t, const K& key) {
    Place at;
    for (; t; at.depth++) {
      const auto order = key <=> t->key();
      if (order == 0) {
        at.node = t;
        break;
      }
      at.turns |= std::uint64_t{order > 0} << at.depth;
      t = (order > 0 ? t->right : t->left).get();
    }
    return at;
  }

  /// Puts it there.
  static void put(Link& t, std::uint64_t turns, std::uint32_t depth, Held<Box> box) {
    if (!t) {
      t = Link(new Node(std::move(box)));
      return;
    }
    own(t);
    if (depth == 0) {
      t->box = std::move(box);
      return;
    }
    put(turns & 1 ? t->right : t->left, turns >> 1, depth - 1, std::move(box));
    mend(t);
  }

  /// Takes away what is there.
  static void erase(Link& t, std::uint64_t turns, std::uint32_t depth) {
    if (depth == 0 && !(t->left && t->right)) {
      t = Link(t->left ? t->left : t->right);
      return;
    }
    own(t);
    if (depth == 0)
      t->box = take_first(t->right);
    else
      erase(turns & 1 ? t->right : t->left, turns >> 1, depth - 1);
    mend(t);
  }

  /// In order. Borrows the tree: the map must live and stay as it is meanwhile.
  class Iterator {
   public:
    using value_type = Item;
    using reference = const Item&;
    using pointer = const Item*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;

    Iterator() = default;
    explicit Iterator(const Node* t) { descend(t); }
    /// At the first item whose key isn't less.
    template <typename K>
    static Iterator lower_bound(const Node* t, const K& key) {
      Iterator out;
      while (t) {
        const auto order = key <=> t->key();
        if (order <= 0) out.push(t);
        if (order == 0) break;
        t = (order > 0 ? t->right : t->left).get();
      }
      return out;
    }

    reference operator*() const { return top()->item(); }
    pointer operator->() const { return &top()->item(); }
    Iterator& operator++() {
      const Node* t = top();
      --depth_;
      descend(t->right.get());
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& o) const {
      return depth_ == o.depth_ && (depth_ == 0 || top() == o.top());
    }

   private:
    const Node* top() const { return way_[depth_ - 1]; }
    void push(const Node* t) { way_[depth_++] = t; }
    void descend(const Node* t) {
      for (; t; t = t->left.get()) push(t);
    }
    std::array<const Node*, 48> way_;  ///< Nodes that are still to come, the nearest last.
    std::size_t depth_ = 0;
  };

  /// Calls visit(before, after) in order for each item that differs; null: there was, or is, none.
  template <typename Visit>
  static void diff(const Node* before, const Node* after, Visit visit) {
    if (before == after) return;
    Walk a(before), b(after);
    while (!a.done() || !b.done()) {
      if (!a.done() && !b.done() && a.whole() && b.whole() && a.top() == b.top()) {
        a.pop();
        b.pop();
        continue;
      }
      // The taller one first, so that a subtree meets itself at another depth.
      const std::uint32_t ha = !a.done() && a.whole() ? a.top()->height : 0;
      const std::uint32_t hb = !b.done() && b.whole() ? b.top()->height : 0;
      if (ha != 0 || hb != 0) {
        (ha >= hb ? a : b).open();
        continue;
      }
      const Item* x = a.done() ? nullptr : &a.top()->item();
      const Item* y = b.done() ? nullptr : &b.top()->item();
      if (x && y && x != y) {
        const auto order = x->key() <=> y->key();
        if (order < 0) y = nullptr;
        if (order > 0) x = nullptr;
      }
      if (x) a.pop();
      if (y) b.pop();
      if (x != y && !(x && y && *x == *y)) visit(x, y);
    }
  }

  static bool equal(const Link& a, const Link& b) {
    if (size(a) != size(b)) return false;
    bool same = true;
    // Equal trees have nothing to visit; of others the rest is walked for nothing.
    diff(a.get(), b.get(), [&](const Item*, const Item*) { same = false; });
    return same;
  }

 private:
  /// Makes the node ours alone, to be changed. Of one that others hold a copy is made, which holds
  /// its children, too: what is below it is then nobody's alone.
  static void own(Link& t) {
    if (!t.is_alone()) t = Link(new Node(*t));
  }
  static void count(Node& t) {
    t.height = std::max(height(t.left), height(t.right)) + 1;
    t.size = size(t.left) + size(t.right) + 1;
  }
  /// Makes a node that is ours right again, one of whose subtrees has got or lost a level.
  static void mend(Link& t) {
    const std::uint32_t left = height(t->left), right = height(t->right);
    if (left > right + 1) {
      if (height(t->left->left) < height(t->left->right)) turn(t->left, &Node::right, &Node::left);
      turn(t, &Node::left, &Node::right);
    } else if (right > left + 1) {
      if (height(t->right->right) < height(t->right->left))
        turn(t->right, &Node::left, &Node::right);
      turn(t, &Node::right, &Node::left);
    } else {
      count(*t);
    }
  }
  /// The child on the `from` side becomes the top, and the top its child on the other side.
  static void turn(Link& t, Link Node::*from, Link Node::*to) {
    own(t);
    own((*t).*from);
    Link top = std::move((*t).*from);
    (*t).*from = std::move((*top).*to);
    count(*t);
    (*top).*to = std::move(t);
    count(*top);
    t = std::move(top);
  }
  static Held<Box> take_first(Link& t) {
    if (!t->left) {
      Held<Box> box = t->box;
      t = Link(t->right);
      return box;
    }
    own(t);
    Held<Box> box = take_first(t->left);
    mend(t);
    return box;
  }

  /// A walk in order that can pass over a whole subtree.
  class Walk {
   public:
    explicit Walk(const Node* t) { push(t, true); }
    bool done() const { return depth_ == 0; }
    const Node* top() const { return way_[depth_ - 1].node; }
    bool whole() const { return way_[depth_ - 1].whole; }
    void pop() { --depth_; }
    /// Takes the subtree on top apart: left, node, right.
    void open() {
      const Node* t = top();
      pop();
      push(t->right.get(), true);
      push(t, false);
      push(t->left.get(), true);
    }

   private:
    struct Stop {
      const Node* node;
      bool whole;
    };
    void push(const Node* t, bool whole) {
      if (t) way_[depth_++] = {t, whole};
    }
    std::array<Stop, 100> way_;
    std::size_t depth_ = 0;
  };
};

/// What a map and a set have in common.
template <typename K, typename Item>
class Sorted {
 public:
  using key_type = K;

  bool empty() const { return !root_; }
  std::size_t size() const { return Tree::size(root_); }
  bool contains(const K& key) const { return at(key).node != nullptr; }
  /// False: there was none.
  bool erase(const K& key) {
    const auto place = at(key);
    if (place.node) Tree::erase(root_, place.turns, place.depth);
    return place.node != nullptr;
  }
  void clear() { root_ = {}; }
  bool operator==(const Sorted& o) const { return Tree::equal(root_, o.root_); }
  /// One is a copy of the other, unchanged.
  bool is_same(const Sorted& o) const { return root_.get() == o.root_.get(); }

 protected:
  using Tree = persistent::Tree<Item>;
  using Iterator = typename Tree::Iterator;
  using Box = typename Tree::Box;

  typename Tree::Place at(const K& key) const { return Tree::find(root_.get(), key); }
  const Item* item(const K& key) const {
    const auto place = at(key);
    return place.node ? &place.node->item() : nullptr;
  }
  Iterator lower(const K& key) const { return Iterator::lower_bound(root_.get(), key); }
  void put(const typename Tree::Place& place, Box* made) {
    Tree::put(root_, place.turns, place.depth, Held<Box>(made));
  }
  template <typename Visit>
  void diff_items(const Sorted& after, Visit visit) const {
    Tree::diff(root_.get(), after.root_.get(), visit);
  }

  typename Tree::Link root_;
};

template <typename K, typename V>
struct Entry : std::pair<const K, V> {
  using std::pair<const K, V>::pair;
  const K& key() const { return this->first; }
};
template <typename K>
struct Element {
  explicit Element(K k) : value(std::move(k)) {}
  K value;
  const K& key() const { return value; }
  bool operator==(const Element&) const = default;
};

}  // namespace persistent

/// K needs `<=>`, V `==`. Iterators give entries with `first` and `second`, in the order of keys. A
/// reference to a value holds as long as some map has that entry.
template <typename K, typename V>
class PersistentMap : public persistent::Sorted<K, persistent::Entry<K, V>> {
  using Entry = persistent::Entry<K, V>;
  using Base = persistent::Sorted<K, Entry>;
  using Box = typename Base::Box;

 public:
  using mapped_type = V;
  using value_type = Entry;
  using const_iterator = typename Base::Iterator;
  using iterator = const_iterator;

  PersistentMap() = default;
  PersistentMap(std::initializer_list<std::pair<K, V>> entries) {
    for (const auto& [key, value] : entries) set(key, value);
  }

  const_iterator begin() const { return const_iterator(this->root_.get()); }
  const_iterator end() const { return {}; }
  const_iterator lower_bound(const K& key) const { return this->lower(key); }
  const_iterator find(const K& key) const {
    const const_iterator it = this->lower(key);
    return it != end() && it->first == key ? it : end();
  }
  /// Null: there is none.
  const V* get(const K& key) const {
    const Entry* entry = this->item(key);
    return entry ? &entry->second : nullptr;
  }
  /// Throws std::out_of_range where there is none, as std::map does: a fault of the caller's.
  const V& at(const K& key) const {
    if (const V* value = get(key)) return *value;
    throw std::out_of_range("PersistentMap::at");
  }

  /// The key's value, made where there is none, to be filled in at once: the reference is good
  /// until the map is copied or changed.
  V& operator[](const K& key) {
    const auto place = Base::at(key);
    Box* box = place.node ? new Box(key, place.node->item().second) : new Box(key, V());
    this->put(place, box);
    return box->item.second;
  }
  /// False: it has that value already, and nothing was changed.
  bool set(const K& key, V value) {
    const auto place = Base::at(key);
    if (place.node && place.node->item().second == value) return false;
    this->put(place, new Box(key, std::move(value)));
    return true;
  }

  /// Calls visit(key, before, after) for each key whose value differs, in order; a null pointer:
  /// there was, or is, none. Costs O(d log n) where d entries were changed since a common ancestor.
  template <typename Visit>
  friend void diff(const PersistentMap& before, const PersistentMap& after, Visit visit) {
    before.diff_items(after, [&](const Entry* x, const Entry* y) {
      visit((x ? x : y)->first, x ? &x->second : nullptr, y ? &y->second : nullptr);
    });
  }
};

/// K needs `<=>` and `==`.
template <typename K>
class PersistentSet : public persistent::Sorted<K, persistent::Element<K>> {
  using Element = persistent::Element<K>;
  using Base = persistent::Sorted<K, Element>;

 public:
  using value_type = K;

  class const_iterator {
   public:
    using value_type = K;
    using reference = const K&;
    using pointer = const K*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;
    const_iterator() = default;
    explicit const_iterator(typename Base::Iterator at) : at_(at) {}
    reference operator*() const { return at_->value; }
    pointer operator->() const { return &at_->value; }
    const_iterator& operator++() {
      ++at_;
      return *this;
    }
    const_iterator operator++(int) { return const_iterator(at_++); }
    bool operator==(const const_iterator&) const = default;

   private:
    typename Base::Iterator at_;
  };
  using iterator = const_iterator;

  PersistentSet() = default;
  PersistentSet(std::initializer_list<K> elements) {
    for (const K& element : elements) insert(element);
  }

  const_iterator begin() const {
    return const_iterator(typename Base::Iterator(this->root_.get()));
  }
  const_iterator end() const { return {}; }
  const_iterator lower_bound(const K& key) const { return const_iterator(this->lower(key)); }

  /// False: it was there already.
  bool insert(K element) {
    const auto place = this->at(element);
    if (place.node) return false;
    this->put(place, new typename Base::Box(std::move(element)));
    return true;
  }

  /// Calls visit(element, added) for each element that only one of them has, in order: `added` when
  /// it is `after`. Costs O(d log n) where d were changed since a common ancestor.
  template <typename Visit>
  friend void diff(const PersistentSet& before, const PersistentSet& after, Visit visit) {
    before.diff_items(after, [&](const Element* x, const Element* y) {
      visit((x ? x : y)->value, x == nullptr);
    });
  }
};

}  // namespace vmirror
