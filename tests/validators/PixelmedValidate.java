// PixelMed's SR and IOD validators over many files, one after the other: their style sheets are compiled once.
//   java -cp /usr/share/java/pixelmed.jar PixelmedValidate.java FILE...
import com.pixelmed.dicom.Attribute;
import com.pixelmed.dicom.AttributeList;
import com.pixelmed.dicom.SOPClass;
import com.pixelmed.dicom.TagFromName;
import com.pixelmed.validate.DicomInstanceValidator;
import com.pixelmed.validate.DicomSRValidator;
import java.util.Arrays;
import java.util.stream.Collectors;

public class PixelmedValidate {
    static DicomSRValidator reports;
    static DicomInstanceValidator others;

    public static void main(String[] files) {
        System.out.print(Arrays.stream(files).map(PixelmedValidate::said).collect(Collectors.joining("\n")));
    }

    static String said(String file) {
        String found;
        try {
            AttributeList list = new AttributeList();
            list.read(file, TagFromName.PixelData);
            String kind = Attribute.getSingleStringValueOrEmptyString(list, TagFromName.SOPClassUID);
            found = SOPClass.isStructuredReport(kind) ? report(file) : other(list);
        } catch (Exception fault) {
            found = "Error: the validator threw " + fault;
        }
        return "== " + file + "\n" + found;
    }

    static String report(String file) throws Exception {
        if (reports == null) reports = new DicomSRValidator();
        return reports.validate(file);
    }

    static String other(AttributeList list) throws Exception {
        if (others == null) others = new DicomInstanceValidator();
        return others.validate(list);
    }
}
