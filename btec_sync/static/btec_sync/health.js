// Draws the records by state over time. All of it stands in the table below the chart, too.
"use strict";

{
    const canvas = document.getElementById("health-chart");
    const figures = document.getElementById("health-figures");

    // The colours are those of the admin's theme, light or dark: health.css says them.
    const color = (name) => getComputedStyle(canvas).getPropertyValue(`--btec-${name}`).trim();

    const paint = (chart) => {
        for (const dataset of chart.data.datasets) {
            dataset.backgroundColor = color(dataset.label.toLowerCase());
        }
        chart.options.plugins.legend.labels.color = color("text");
        for (const scale of Object.values(chart.options.scales)) {
            scale.ticks.color = color("text");
            scale.grid.color = color("line");
        }
        chart.update("none");
    };

    if (canvas && figures) {
        const chart = new Chart(canvas, {
            type: "bar",
            data: JSON.parse(figures.textContent),
            options: {
                animation: false,
                maintainAspectRatio: false,
                interaction: { mode: "index", intersect: false },
                plugins: { legend: { position: "bottom", labels: {} } },
                scales: {
                    x: { stacked: true, ticks: {}, grid: { display: false } },
                    y: { stacked: true, ticks: { precision: 0 }, grid: {}, beginAtZero: true },
                },
            },
        });
        paint(chart);
        new MutationObserver(() => paint(chart)).observe(document.documentElement, {
            attributeFilter: ["data-theme"],
        });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(chart));
    }
}
