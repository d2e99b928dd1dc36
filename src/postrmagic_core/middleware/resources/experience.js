// Tells once how a page felt: no cookie, no id.
(() => {
	const to = new URL("timing", document.currentScript.src);
	const ms = (time) => Math.max(0, time) | 0;
	const seen = {};
	let from = 0, last = 0, sum = 0, told;
	const watch = (type, each) => {
		if (!PerformanceObserver.supportedEntryTypes.includes(type)) return;
		new PerformanceObserver((all) => all.getEntries().forEach(each))
			.observe({ type, buffered: true, durationThreshold: 40 });
		return 0;
	};
	watch("largest-contentful-paint", (it) => { seen.lcp = ms(it.startTime); });
	watch("event", (it) => {
		if (it.interactionId) seen.inp = Math.max(seen.inp ?? 0, it.duration);
	});
	seen.cls = watch("layout-shift", ({ startTime: now, value, hadRecentInput }) => {
		if (hadRecentInput) return;
		if (now - last > 1000 || now - from > 5000) from = now, sum = 0;
		last = now;
		sum += value;
		seen.cls = Math.max(seen.cls, sum);
	});
	const tell = ({ type }) => {
		const page = performance.getEntriesByType("navigation")[0];
		if (told || !page?.loadEventEnd || type[0] == "v" && !document.hidden) return;
		told = 1;
		const since = page.activationStart ?? 0;
		seen.page = document.querySelector("meta[name=page]")?.content ?? location.pathname;
		seen.load = ms(page.loadEventEnd - since);
		seen.first_byte = ms(page.responseStart - since);
		navigator.sendBeacon(to, new Blob([JSON.stringify(seen)], { type: "application/json" }));
	};
	addEventListener("visibilitychange", tell);
	addEventListener("pagehide", tell);
})();
