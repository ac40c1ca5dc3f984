"""A shopping cart."""

from shop.money import Money


class Cart:
    def __init__(self, owner):
        self.owner = owner
        self.items = []

    def add(self, item, count=1):
        for _ in range(count):
            self.items.append(item)

    def total(self):
        result = Money(0)
        for item in self.items:
            result += item.price
        return result


class GuestCart(Cart):
    def __init__(self):
        super().__init__("guest")

    def total(self):
        result = Money(0)
        for item in self.items:
            result += item.price
        return result
