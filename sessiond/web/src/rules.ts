/*
 * Rules of style without style elements. xterm.js writes style elements and style attributes, which the page's policy refuses as it refuses
 * those that somebody smuggles in; sheets that a script makes, and an element's own `style`, are allowed, and hold the same. Imported first.
 */
const create = Document.prototype.createElement;
const setAttribute = Element.prototype.setAttribute;

/* Stands where a style element would, and shows nothing. */
function standIn(document: Document): HTMLElement {
	const element: HTMLElement = create.call(document, "template");
	const sheet = new CSSStyleSheet();
	let text = "";
	document.adoptedStyleSheets.push(sheet);
	Object.defineProperty(element, "textContent", {
		get: () => text,
		set: (value: string) => sheet.replaceSync(text = value),
	});
	element.remove = () => {
		document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== sheet);
		Element.prototype.remove.call(element);
	};
	return element;
}

Document.prototype.createElement = function (this: Document, name: string, options?: ElementCreationOptions): HTMLElement {
	return name === "style" ? standIn(this) : create.call(this, name, options);
} as typeof create;

Element.prototype.setAttribute = function (this: Element, name: string, value: string): void {
	if (name === "style" && this instanceof HTMLElement)
		this.style.cssText = value;
	else
		setAttribute.call(this, name, value);
};
