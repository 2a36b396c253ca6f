"""The naive reference: a ModelSerializer and update_or_create; and the bare view."""

from django.db import transaction
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from .models import BarePayment, Payment, Received, Registration


class LookupField(serializers.SlugRelatedField):
    """Zoho's {"id": …, "name": …} as the registration that it names."""

    def to_internal_value(self, data):
        tenant = self.context["tenant"]
        return Registration.objects.get(tenant=tenant, zoho_id=data["id"])


class PaymentSerializer(serializers.ModelSerializer):
    id = serializers.CharField(source="zoho_id", max_length=64)
    Registration = LookupField("zoho_id", source="registration", queryset=Registration.objects.all())
    Amount = serializers.DecimalField(source="amount", max_digits=12, decimal_places=2)
    Payment_Date = serializers.DateField(source="payment_date", required=False, allow_null=True)
    Payment_Method = serializers.CharField(source="payment_method", required=False, allow_blank=True)
    Payment_Status = serializers.CharField(source="payment_status")
    Description = serializers.CharField(source="description", required=False, allow_blank=True)

    class Meta:
        model = Payment
        fields = ["id", "Registration", "Amount", "Payment_Date"]
        fields += ["Payment_Method", "Payment_Status", "Description"]


class Payments(APIView):
    """update_or_create for each record, all in one transaction."""

    def get(self, request):
        return Response({})

    def post(self, request):
        tenant = request.headers["X-Tenant-ID"]
        serializer = PaymentSerializer(data=request.data["data"], many=True, context={"tenant": tenant})
        serializer.is_valid(raise_exception=True)
        results = []
        with transaction.atomic():
            for values in serializer.validated_data:
                zoho_id = values.pop("zoho_id")
                _, created = Payment.objects.update_or_create(tenant=tenant, zoho_id=zoho_id, defaults=values)
                results.append({"id": zoho_id, "status": "created" if created else "updated"})
        return Response({"results": results})


class Bare(APIView):
    """One row in each of two transactions, and nothing else."""

    def post(self, request):
        with transaction.atomic():
            Received.objects.create(body=request.body)
        record = request.data["data"][0]
        with transaction.atomic():
            BarePayment.objects.create(
                tenant=request.headers["X-Tenant-ID"],
                zoho_id=record["id"],
                registration=record["Registration"]["id"],
                amount=record["Amount"],
                payment_date=record["Payment_Date"],
                payment_method=record["Payment_Method"],
                payment_status=record["Payment_Status"],
                description=record["Description"],
            )
        return Response({"status": "success"})
