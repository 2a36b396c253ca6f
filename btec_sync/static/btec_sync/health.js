// Draws the records by state over time. All of it stands in the table below the chart, too.
"use strict";

{
    const canvas = document.getElementById("health-chart");
    const figures = canvas && JSON.parse(document.getElementById("health-figures").textContent);

    // The colours are those of the admin's theme, light or dark: health.css says them.
    const color = (name) => getComputedStyle(canvas).getPropertyValue(`--btec-${name}`).trim();

    const draw = () =>
        new Chart(canvas, {
            type: "bar",
            data: {
                labels: figures.labels,
                datasets: figures.datasets.map((dataset) => ({
                    ...dataset,
                    backgroundColor: color(dataset.label.toLowerCase()),
                })),
            },
            options: {
                animation: false,
                maintainAspectRatio: false,
                interaction: { mode: "index", intersect: false },
                plugins: {
                    colors: { enabled: false },
                    legend: { position: "bottom", labels: { color: color("text") } },
                },
                scales: {
                    x: { stacked: true, ticks: { color: color("text") }, grid: { display: false } },
                    y: {
                        stacked: true,
                        ticks: { color: color("text"), precision: 0 },
                        grid: { color: color("line") },
                    },
                },
            },
        });

    if (canvas) {
        let chart = draw();
        const redraw = () => {
            chart.destroy();
            chart = draw();
        };
        new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    }
}
