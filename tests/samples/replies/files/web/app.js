const cart = {
	items: [],
	add(item) {
		this.items.push(item);
	},
};

function render(cart) {
	const list = document.querySelector("#cart");
	list.innerHTML = "";
	for (const item of cart.items) {
		const row = document.createElement("li");
		row.textContent = item.name;
		list.append(row);
	}
}
