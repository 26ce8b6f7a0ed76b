"""Eight files that teams brought, and what their models predict."""

from pathlib import Path

CASES = Path(__file__).with_name("cases")
TARGETS = {
    "01_flats_cp1252.csv": "Kaufpreis €",
    "02_churn_bom.csv": "churned",
    "03_faults.tsv": "fault code",
    "04_spend_money.csv": "Spend",
    "05_fraud.csv": "fraud",
    "06_genes.csv": "état",
    "07_demand.csv": "demand",
    "08_leak_groups.csv": "defaulted",
}
