"""The data contract: every column, its allowed values and its meaning.

Validation, the model's inputs, the service's API and the data card are all derived from this table. Codes and meanings
are those of the Statlog German Credit Data (Hofmann, UCI Machine Learning Repository, doi 10.24432/C5NC77, CC BY 4.0).
"""

from dataclasses import dataclass, field

TARGET = "credit_risk"
POSITIVE = "bad"
LABELS = {1: "good", 2: POSITIVE}


@dataclass(frozen=True)
class Number:
    """A whole number from `low` to `high`, both included."""

    name: str
    meaning: str
    low: int
    high: int


@dataclass(frozen=True)
class Category:
    """One of a closed list of codes, each with its meaning."""

    name: str
    meaning: str
    codes: dict[str, str] = field(default_factory=dict)


FEATURES: tuple[Number | Category, ...] = (
    Category(
        "status_of_existing_checking_account",
        "Balance of the checking account, in DM",
        {"A11": "below 0", "A12": "0 to 200", "A13": "200 or more, or salary for a year", "A14": "no account"},
    ),
    Number("duration_in_month", "Duration of the credit in months", 1, 120),
    Category(
        "credit_history",
        "Behaviour on earlier credits",
        {
            "A30": "no credits, or all paid back",
            "A31": "all credits at this bank paid back",
            "A32": "existing credits paid back so far",
            "A33": "delays in the past",
            "A34": "critical account, or credits at other banks",
        },
    ),
    Category(
        "purpose",
        "Purpose of the credit",
        {
            "A40": "new car",
            "A41": "used car",
            "A42": "furniture or equipment",
            "A43": "radio or television",
            "A44": "household appliances",
            "A45": "repairs",
            "A46": "education",
            "A47": "vacation",
            "A48": "retraining",
            "A49": "business",
            "A410": "other",
        },
    ),
    Number("credit_amount", "Amount of the credit in DM", 1, 1_000_000),
    Category(
        "savings_account_bonds",
        "Savings and bonds, in DM",
        {
            "A61": "below 100",
            "A62": "100 to 500",
            "A63": "500 to 1000",
            "A64": "1000 or more",
            "A65": "unknown or none",
        },
    ),
    Category(
        "present_employment_since",
        "Years in the present employment",
        {"A71": "unemployed", "A72": "below 1", "A73": "1 to 4", "A74": "4 to 7", "A75": "7 or more"},
    ),
    Number("installment_rate_in_percentage_of_disposable_income", "Instalment as a share of income, in bands", 1, 4),
    Category(
        "personal_status_and_sex",
        "Sex and marital status",
        {
            "A91": "man, divorced or separated",
            "A92": "woman, divorced, separated or married",
            "A93": "man, single",
            "A94": "man, married or widowed",
            "A95": "woman, single",
        },
    ),
    Category(
        "other_debtors_guarantors",
        "Other persons who are liable for the credit",
        {"A101": "nobody", "A102": "co-applicant", "A103": "guarantor"},
    ),
    Number("present_residence_since", "Time at the present address, in four bands", 1, 4),
    Category(
        "property",
        "Most valuable property",
        {
            "A121": "real estate",
            "A122": "building society savings or life insurance",
            "A123": "car or other",
            "A124": "unknown or none",
        },
    ),
    Number("age_in_years", "Age of the applicant in years", 18, 120),
    Category("other_installment_plans", "Other instalment plans", {"A141": "bank", "A142": "stores", "A143": "none"}),
    Category("housing", "Housing", {"A151": "rent", "A152": "own", "A153": "for free"}),
    Number("number_of_existing_credits_at_this_bank", "Credits at this bank, in four bands", 1, 4),
    Category(
        "job",
        "Kind of work",
        {
            "A171": "unemployed or unskilled, non-resident",
            "A172": "unskilled, resident",
            "A173": "skilled employee or official",
            "A174": "management, self-employed, highly qualified or officer",
        },
    ),
    Number("number_of_people_being_liable_to_provide_maintenance_for", "Dependants, in two bands", 1, 2),
    Category("telephone", "Telephone in the customer's name", {"A191": "none", "A192": "yes"}),
    Category("foreign_worker", "Foreign worker", {"A201": "yes", "A202": "no"}),
)

# Columns by which the law of many countries forbids discrimination. A number has the limits of its groups, for example
# up to 25, 26 to 60, and above.
PROTECTED: dict[str, list[int]] = {"personal_status_and_sex": [], "age_in_years": [25, 60], "foreign_worker": []}

NUMBERS = [feature.name for feature in FEATURES if isinstance(feature, Number)]
CATEGORIES = [feature.name for feature in FEATURES if isinstance(feature, Category)]
COLUMNS = [feature.name for feature in FEATURES]
