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
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace vmirror {

namespace persistent {

/// The tree under both. `Item` has `key()`; equal items are interchangeable. Nodes and items are
/// never changed once made, so that trees may be read by any number of threads at once.
template <typename Item>
struct Tree {
  struct Node;
  using Link = std::shared_ptr<const Node>;
  using ItemLink = std::shared_ptr<const Item>;
  struct Node {
    ItemLink item;
    Link left, right;
    int height;
    std::size_t size;
  };
  using Key = std::remove_cvref_t<decltype(std::declval<const Item&>().key())>;

  static int height(const Link& t) { return t ? t->height : 0; }
  static std::size_t size(const Link& t) { return t ? t->size : 0; }

  static Link make(ItemLink item, Link left, Link right) {
    const int h = std::max(height(left), height(right)) + 1;
    const std::size_t n = size(left) + size(right) + 1;
    return std::make_shared<const Node>(
        Node{std::move(item), std::move(left), std::move(right), h, n});
  }

  /// As make(), where the heights may differ by two: rotates.
  static Link balance(ItemLink item, Link left, Link right) {
    if (height(left) > height(right) + 1) {
      if (height(left->left) >= height(left->right))
        return make(left->item, left->left, make(std::move(item), left->right, std::move(right)));
      const Node& pivot = *left->right;
      return make(pivot.item, make(left->item, left->left, pivot.left),
                  make(std::move(item), pivot.right, std::move(right)));
    }
    if (height(right) > height(left) + 1) {
      if (height(right->right) >= height(right->left))
        return make(right->item, make(std::move(item), std::move(left), right->left), right->right);
      const Node& pivot = *right->left;
      return make(pivot.item, make(std::move(item), std::move(left), pivot.left),
                  make(right->item, pivot.right, right->right));
    }
    return make(std::move(item), std::move(left), std::move(right));
  }

  static Link put(const Link& t, ItemLink item) {
    if (!t) return make(std::move(item), nullptr, nullptr);
    if (item->key() < t->item->key())
      return balance(t->item, put(t->left, std::move(item)), t->right);
    if (t->item->key() < item->key())
      return balance(t->item, t->left, put(t->right, std::move(item)));
    return make(std::move(item), t->left, t->right);
  }

  /// Without its first item.
  static Link without_first(const Link& t) {
    return t->left ? balance(t->item, without_first(t->left), t->right) : t->right;
  }

  /// The key is there.
  template <typename K>
  static Link without(const Link& t, const K& key) {
    if (key < t->item->key()) return balance(t->item, without(t->left, key), t->right);
    if (t->item->key() < key) return balance(t->item, t->left, without(t->right, key));
    if (!t->left) return t->right;
    if (!t->right) return t->left;
    const Node* first = t->right.get();
    while (first->left) first = first->left.get();
    return balance(first->item, t->left, without_first(t->right));
  }

  template <typename K>
  static const Node* find(const Node* t, const K& key) {
    while (t) {
      if (key < t->item->key())
        t = t->left.get();
      else if (t->item->key() < key)
        t = t->right.get();
      else
        return t;
    }
    return nullptr;
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
        const bool less = t->item->key() < key;
        if (!less) out.push(t);
        t = (less ? t->right : t->left).get();
      }
      return out;
    }

    reference operator*() const { return *top()->item; }
    pointer operator->() const { return top()->item.get(); }
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
    /// Nodes that are still to come, the nearest last. An AVL tree of height 48 has 10^10 items.
    std::array<const Node*, 48> way_;
    std::size_t depth_ = 0;
  };

  /// A walk in order that can pass over a whole subtree.
  class Walk {
   public:
    explicit Walk(const Node* t) { push(t, true); }
    bool done() const { return depth_ == 0; }
    const Node* top() const { return way_[depth_ - 1].first; }
    bool whole() const { return way_[depth_ - 1].second; }
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
    void push(const Node* t, bool whole) {
      if (t) way_[depth_++] = {t, whole};
    }
    std::array<std::pair<const Node*, bool>, 100> way_;
    std::size_t depth_ = 0;
  };

  /// Calls visit(before, after) in order for each item that differs; null: there was, or is, none.
  template <typename Visit>
  static void diff(const Link& before, const Link& after, Visit visit) {
    Walk a(before.get()), b(after.get());
    while (!a.done() || !b.done()) {
      if (!a.done() && !b.done() && a.whole() && b.whole() && a.top() == b.top()) {
        a.pop();
        b.pop();
        continue;
      }
      // The taller one first, so that a subtree meets itself at another depth.
      const int ha = !a.done() && a.whole() ? a.top()->height : 0;
      const int hb = !b.done() && b.whole() ? b.top()->height : 0;
      if (ha != 0 || hb != 0) {
        (ha >= hb ? a : b).open();
        continue;
      }
      const Item* x = a.done() ? nullptr : a.top()->item.get();
      const Item* y = b.done() ? nullptr : b.top()->item.get();
      if (x && y && x->key() < y->key()) y = nullptr;
      if (x && y && y->key() < x->key()) x = nullptr;
      if (x) a.pop();
      if (y) b.pop();
      if (x != y && !(x && y && *x == *y)) visit(x, y);
    }
  }

  static bool equal(const Link& a, const Link& b) {
    if (size(a) != size(b)) return false;
    bool same = true;
    // Equal trees have nothing to visit; of others the rest is walked for nothing.
    diff(a, b, [&](const Item*, const Item*) { same = false; });
    return same;
  }
};

template <typename K, typename V>
struct Entry : std::pair<const K, V> {
  using std::pair<const K, V>::pair;
  const K& key() const { return this->first; }
};
template <typename K>
struct Element {
  K value;
  const K& key() const { return value; }
  bool operator==(const Element&) const = default;
};

}  // namespace persistent

/// K needs `<`, V `==`. Iterators give entries with `first` and `second`, in the order of keys. A
/// reference to a value holds as long as some map has that entry.
template <typename K, typename V>
class PersistentMap {
  using Entry = persistent::Entry<K, V>;
  using Tree = persistent::Tree<Entry>;

 public:
  using key_type = K;
  using mapped_type = V;
  using value_type = Entry;
  using const_iterator = typename Tree::Iterator;
  using iterator = const_iterator;

  PersistentMap() = default;
  PersistentMap(std::initializer_list<std::pair<K, V>> entries) {
    for (const auto& [key, value] : entries) set(key, value);
  }

  bool empty() const { return !root_; }
  std::size_t size() const { return Tree::size(root_); }
  const_iterator begin() const { return const_iterator(root_.get()); }
  const_iterator end() const { return {}; }
  bool contains(const K& key) const { return Tree::find(root_.get(), key) != nullptr; }
  const_iterator lower_bound(const K& key) const {
    return const_iterator::lower_bound(root_.get(), key);
  }
  const_iterator find(const K& key) const {
    return contains(key) ? lower_bound(key) : const_iterator();
  }
  /// Null: there is none.
  const V* get(const K& key) const {
    const auto* node = Tree::find(root_.get(), key);
    return node ? &node->item->second : nullptr;
  }
  /// Throws std::out_of_range where there is none, as std::map does: a fault of the caller's.
  const V& at(const K& key) const {
    if (const V* value = get(key)) return *value;
    throw std::out_of_range("PersistentMap::at");
  }

  /// The key's value, made where there is none, to be filled in at once: the reference is good
  /// until the map is copied or changed.
  V& operator[](const K& key) {
    const V* is = get(key);
    auto entry = is ? std::make_shared<Entry>(key, *is) : std::make_shared<Entry>(key, V());
    V& value = entry->second;
    root_ = Tree::put(root_, std::move(entry));
    return value;
  }
  /// False: it has that value already, and nothing was changed.
  bool set(const K& key, V value) {
    if (const V* is = get(key); is && *is == value) return false;
    root_ = Tree::put(root_, std::make_shared<const Entry>(key, std::move(value)));
    return true;
  }
  /// False: there was none.
  bool erase(const K& key) {
    if (!contains(key)) return false;
    root_ = Tree::without(root_, key);
    return true;
  }
  void clear() { root_.reset(); }

  bool operator==(const PersistentMap& o) const { return Tree::equal(root_, o.root_); }
  /// One is a copy of the other, unchanged.
  bool is_same(const PersistentMap& o) const { return root_ == o.root_; }

  /// Calls visit(key, before, after) for each key whose value differs, in order; a null pointer:
  /// there was, or is, none. Costs O(d log n) where d entries were changed since a common ancestor.
  template <typename Visit>
  friend void diff(const PersistentMap& before, const PersistentMap& after, Visit visit) {
    Tree::diff(before.root_, after.root_, [&](const Entry* x, const Entry* y) {
      visit((x ? x : y)->first, x ? &x->second : nullptr, y ? &y->second : nullptr);
    });
  }

 private:
  typename Tree::Link root_;
};

/// K needs `<` and `==`.
template <typename K>
class PersistentSet {
  using Element = persistent::Element<K>;
  using Tree = persistent::Tree<Element>;

 public:
  using key_type = K;
  using value_type = K;

  class const_iterator {
   public:
    using value_type = K;
    using reference = const K&;
    using pointer = const K*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;
    const_iterator() = default;
    explicit const_iterator(typename Tree::Iterator at) : at_(at) {}
    reference operator*() const { return at_->value; }
    pointer operator->() const { return &at_->value; }
    const_iterator& operator++() {
      ++at_;
      return *this;
    }
    const_iterator operator++(int) { return const_iterator(at_++); }
    bool operator==(const const_iterator&) const = default;

   private:
    typename Tree::Iterator at_;
  };
  using iterator = const_iterator;

  PersistentSet() = default;
  PersistentSet(std::initializer_list<K> elements) {
    for (const K& element : elements) insert(element);
  }

  bool empty() const { return !root_; }
  std::size_t size() const { return Tree::size(root_); }
  const_iterator begin() const { return const_iterator(typename Tree::Iterator(root_.get())); }
  const_iterator end() const { return {}; }
  bool contains(const K& key) const { return Tree::find(root_.get(), key) != nullptr; }
  const_iterator lower_bound(const K& key) const {
    return const_iterator(Tree::Iterator::lower_bound(root_.get(), key));
  }

  /// False: it was there already.
  bool insert(K element) {
    if (contains(element)) return false;
    root_ = Tree::put(root_, std::make_shared<const Element>(Element{std::move(element)}));
    return true;
  }
  /// False: it was not there.
  bool erase(const K& element) {
    if (!contains(element)) return false;
    root_ = Tree::without(root_, element);
    return true;
  }
  void clear() { root_.reset(); }

  bool operator==(const PersistentSet& o) const { return Tree::equal(root_, o.root_); }

  /// Calls visit(element, added) for each element that only one of them has, in order: `added` when
  /// it is `after`. Costs O(d log n) where d were changed since a common ancestor.
  template <typename Visit>
  friend void diff(const PersistentSet& before, const PersistentSet& after, Visit visit) {
    Tree::diff(before.root_, after.root_, [&](const Element* x, const Element* y) {
      visit((x ? x : y)->value, x == nullptr);
    });
  }

 private:
  typename Tree::Link root_;
};

}  // namespace vmirror
