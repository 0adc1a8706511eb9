// Result<T, E>: a value, or the reason why there is none.
//
// Purpose:   the return type of everything that can fail for a reason the caller must see. A small
//            stand-in for std::expected, which C++20 lacks, with the same spelling where it exists.
// Threads:   as the contained types; no shared state.
// Ownership: holds T or E by value, inside itself; never allocates. Move-only T and E are fine.
// Errors:    value() and error() on the wrong side abort (a programming error, not an input error);
//            operator* and operator-> check the same only in debug builds, as they sit in hot
//            loops.
// Exceptions: throws nothing itself, works with and without -fno-exceptions. Assignment is offered
//            only for types that move without throwing, so a Result never loses both sides.

#pragma once

#include <cassert>
#include <concepts>
#include <cstdlib>
#include <memory>
#include <type_traits>
#include <utility>

namespace geneve {

template <class T, class E>
class Result;

// Marks a value as the error side: `return Unexpected(DecodeError{...});`
template <class E>
class Unexpected {
 public:
  static_assert(std::is_object_v<E> && !std::is_array_v<E>);

  template <class G = E>
    requires(!std::is_same_v<std::remove_cvref_t<G>, Unexpected> && std::is_constructible_v<E, G>)
  constexpr explicit Unexpected(G&& error) : error_(std::forward<G>(error)) {}

  constexpr const E& error() const& noexcept { return error_; }
  constexpr E& error() & noexcept { return error_; }
  constexpr E&& error() && noexcept { return std::move(error_); }
  constexpr const E&& error() const&& noexcept { return std::move(error_); }

  friend constexpr bool operator==(const Unexpected& a, const Unexpected& b) {
    return a.error_ == b.error_;
  }

 private:
  E error_;
};

template <class E>
Unexpected(E) -> Unexpected<E>;

namespace result_internal {

template <class T>
inline constexpr bool kIsResult = false;
template <class T, class E>
inline constexpr bool kIsResult<Result<T, E>> = true;

template <class T>
inline constexpr bool kIsUnexpected = false;
template <class E>
inline constexpr bool kIsUnexpected<Unexpected<E>> = true;

template <class T>
inline constexpr bool kMovesSafely = std::is_nothrow_move_constructible_v<T>;

template <class... T>
inline constexpr bool kTrivialCopy =
    (... && (std::is_trivially_copy_constructible_v<T> && std::is_trivially_copy_assignable_v<T> &&
             std::is_trivially_destructible_v<T>));
template <class... T>
inline constexpr bool kTrivialMove =
    (... && (std::is_trivially_move_constructible_v<T> && std::is_trivially_move_assignable_v<T> &&
             std::is_trivially_destructible_v<T>));

[[noreturn]] inline void WrongSide() { std::abort(); }

}  // namespace result_internal

template <class T, class E>
class [[nodiscard]] Result {
  static_assert(std::is_object_v<T> && !std::is_array_v<T>, "return a pointer instead");
  static_assert(std::is_object_v<E> && !std::is_array_v<E>);
  static_assert(!result_internal::kIsUnexpected<std::remove_cv_t<T>>);

 public:
  using value_type = T;
  using error_type = E;

  constexpr Result() noexcept(std::is_nothrow_default_constructible_v<T>)
    requires std::is_default_constructible_v<T>
      : value_(), ok_(true) {}

  template <class U = T>
    requires(!std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !result_internal::kIsUnexpected<std::remove_cvref_t<U>> &&
             !(std::is_same_v<std::remove_cv_t<T>, bool> &&
               result_internal::kIsResult<std::remove_cvref_t<U>>) &&
             std::is_constructible_v<T, U>)
  constexpr explicit(!std::is_convertible_v<U, T>)
      // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): excluded by the constraint
      Result(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>)
      : value_(std::forward<U>(value)), ok_(true) {}

  template <class G>
    requires std::is_constructible_v<E, const G&>
  constexpr explicit(!std::is_convertible_v<const G&, E>) Result(const Unexpected<G>& error)
      : error_(error.error()), ok_(false) {}

  template <class G>
    requires std::is_constructible_v<E, G>
  constexpr explicit(!std::is_convertible_v<G, E>) Result(Unexpected<G>&& error)
      : error_(std::move(error).error()), ok_(false) {}

  template <class... A>
    requires std::is_constructible_v<T, A...>
  constexpr explicit Result(std::in_place_t, A&&... args)
      : value_(std::forward<A>(args)...), ok_(true) {}

  constexpr Result(const Result&)
    requires result_internal::kTrivialCopy<T, E>
  = default;
  constexpr Result(const Result& other)
    requires(!result_internal::kTrivialCopy<T, E> && std::is_copy_constructible_v<T> &&
             std::is_copy_constructible_v<E>)
      : none_(), ok_(other.ok_) {
    Construct(other);
  }

  constexpr Result(Result&&) noexcept
    requires result_internal::kTrivialMove<T, E>
  = default;
  constexpr Result(Result&& other) noexcept(result_internal::kMovesSafely<T> &&
                                            result_internal::kMovesSafely<E>)
    requires(!result_internal::kTrivialMove<T, E> && std::is_move_constructible_v<T> &&
             std::is_move_constructible_v<E>)
      : none_(), ok_(other.ok_) {
    Construct(std::move(other));
  }

  constexpr Result& operator=(const Result&)
    requires result_internal::kTrivialCopy<T, E>
  = default;
  constexpr Result& operator=(const Result& other)
    requires(!result_internal::kTrivialCopy<T, E> && std::is_copy_constructible_v<T> &&
             std::is_copy_constructible_v<E> && result_internal::kMovesSafely<T> &&
             result_internal::kMovesSafely<E>)
  {
    if (this != &other) {
      Result copy(other);  // the only step that may throw; *this is still whole here
      *this = std::move(copy);
    }
    return *this;
  }

  constexpr Result& operator=(Result&&) noexcept
    requires result_internal::kTrivialMove<T, E>
  = default;
  constexpr Result& operator=(Result&& other) noexcept
    requires(!result_internal::kTrivialMove<T, E> && result_internal::kMovesSafely<T> &&
             result_internal::kMovesSafely<E>)
  {
    if (this != &other) {
      Destroy();
      ok_ = other.ok_;
      Construct(std::move(other));
    }
    return *this;
  }

  constexpr ~Result()
    requires(std::is_trivially_destructible_v<T> && std::is_trivially_destructible_v<E>)
  = default;
  constexpr ~Result() { Destroy(); }

  [[nodiscard]] constexpr bool ok() const noexcept { return ok_; }
  [[nodiscard]] constexpr bool has_value() const noexcept { return ok_; }
  constexpr explicit operator bool() const noexcept { return ok_; }

  constexpr T& value() & { return Checked(), value_; }
  constexpr const T& value() const& { return Checked(), value_; }
  constexpr T&& value() && { return Checked(), std::move(value_); }
  constexpr const T&& value() const&& { return Checked(), std::move(value_); }

  constexpr T& operator*() & noexcept { return assert(ok_), value_; }
  constexpr const T& operator*() const& noexcept { return assert(ok_), value_; }
  constexpr T&& operator*() && noexcept { return assert(ok_), std::move(value_); }
  constexpr const T&& operator*() const&& noexcept { return assert(ok_), std::move(value_); }
  constexpr T* operator->() noexcept { return assert(ok_), std::addressof(value_); }
  constexpr const T* operator->() const noexcept { return assert(ok_), std::addressof(value_); }

  constexpr E& error() & { return CheckedError(), error_; }
  constexpr const E& error() const& { return CheckedError(), error_; }
  constexpr E&& error() && { return CheckedError(), std::move(error_); }
  constexpr const E&& error() const&& { return CheckedError(), std::move(error_); }

  template <class U>
  constexpr T value_or(U&& fallback) const& {
    return ok_ ? value_ : static_cast<T>(std::forward<U>(fallback));
  }
  template <class U>
  constexpr T value_or(U&& fallback) && {
    return ok_ ? std::move(value_) : static_cast<T>(std::forward<U>(fallback));
  }

  friend constexpr bool operator==(const Result& a, const Result& b)
    requires requires(const T& t, const E& e) {
      { t == t } -> std::convertible_to<bool>;
      { e == e } -> std::convertible_to<bool>;
    }
  {
    return a.ok_ == b.ok_ && (a.ok_ ? a.value_ == b.value_ : a.error_ == b.error_);
  }

 private:
  struct None {};

  constexpr void Checked() const {
    if (!ok_) result_internal::WrongSide();
  }
  constexpr void CheckedError() const {
    if (ok_) result_internal::WrongSide();
  }

  template <class Other>
  constexpr void Construct(Other&& other) {
    if (ok_) {
      std::construct_at(std::addressof(value_), std::forward<Other>(other).value_);
    } else {
      std::construct_at(std::addressof(error_), std::forward<Other>(other).error_);
    }
  }
  constexpr void Destroy() noexcept {
    if (ok_) {
      std::destroy_at(std::addressof(value_));
    } else {
      std::destroy_at(std::addressof(error_));
    }
  }

  union {
    None none_;  // active only between construction and Construct()
    std::remove_cv_t<T> value_;
    E error_;
  };
  bool ok_;
};

// An operation with no value: success or the reason of failure.
template <class E>
class [[nodiscard]] Result<void, E> {
  struct Done {};

 public:
  using value_type = void;
  using error_type = E;

  constexpr Result() noexcept = default;
  template <class G>
    requires std::is_constructible_v<E, const G&>
  constexpr explicit(!std::is_convertible_v<const G&, E>) Result(const Unexpected<G>& error)
      : state_(error) {}
  template <class G>
    requires std::is_constructible_v<E, G>
  constexpr explicit(!std::is_convertible_v<G, E>) Result(Unexpected<G>&& error)
      : state_(std::move(error)) {}

  [[nodiscard]] constexpr bool ok() const noexcept { return state_.ok(); }
  [[nodiscard]] constexpr bool has_value() const noexcept { return state_.ok(); }
  constexpr explicit operator bool() const noexcept { return state_.ok(); }
  constexpr void value() const { static_cast<void>(state_.value()); }
  constexpr void operator*() const noexcept { assert(ok()); }

  constexpr E& error() & { return state_.error(); }
  constexpr const E& error() const& { return state_.error(); }
  constexpr E&& error() && { return std::move(state_).error(); }

  friend constexpr bool operator==(const Result& a, const Result& b)
    requires requires(const E& e) {
      { e == e } -> std::convertible_to<bool>;
    }
  {
    return a.ok() == b.ok() && (a.ok() || a.error() == b.error());
  }

 private:
  Result<Done, E> state_;
};

}  // namespace geneve
